#include "kernels/cpu/dispatch.h"

#include <atomic>
#include <cstdlib>

#include "runtime/error.h"

namespace musicldm::kernels {

namespace {

std::vector<const KernelTable*> supported() {
  std::vector<const KernelTable*> tables;
#ifdef MUSICLDM_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    tables.push_back(&kAvx512Kernels);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(&kAvx2Kernels);
  }
#endif
  tables.push_back(&kPortableKernels);
  return tables;
}

const KernelTable* find(const std::string& name) {
  std::string known;
  for (const KernelTable* table : supported()) {
    if (table->name == name) return table;
    known += (known.empty() ? "" : ", ") + std::string(table->name);
  }
  throw runtime::expected("E_ARGUMENT", "one of " + known, "the CPU capability", name);
}

std::atomic<const KernelTable*>& current() {
  static std::atomic<const KernelTable*> table = [] {
    const char* name = std::getenv("MUSICLDM_CPU_CAPABILITY");
    return name && *name ? find(name) : supported().front();
  }();
  return table;
}

}  // namespace

const KernelTable& kernels() { return *current(); }

std::vector<std::string> capabilities() {
  std::vector<std::string> names;
  for (const KernelTable* table : supported()) names.emplace_back(table->name);
  return names;
}

void select_capability(const std::string& name) { current() = find(name); }

}  // namespace musicldm::kernels

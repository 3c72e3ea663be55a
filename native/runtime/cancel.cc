#include "runtime/cancel.h"

#include "runtime/error.h"

namespace musicldm::runtime {
namespace {

thread_local const CancelToken* current_caller = nullptr;
thread_local const CancelToken* current_environment = nullptr;

bool is_cancelled(const CancelToken* token) { return token && token->cancelled(); }

}  // namespace

CancelScope::CancelScope(const CancelToken* caller, const CancelToken* environment) {
  current_caller = caller;
  current_environment = environment;
}

CancelScope::~CancelScope() {
  current_caller = nullptr;
  current_environment = nullptr;
}

void throw_if_cancelled() {
  if (is_cancelled(current_caller) || is_cancelled(current_environment)) {
    throw Error("E_ABORTED", "The call was aborted");
  }
}

}  // namespace musicldm::runtime

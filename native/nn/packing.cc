#include "nn/packing.h"

#include <utility>

namespace musicldm::nn {

namespace {

thread_local Packing current = Packing::kNone;

}  // namespace

Packing packing() { return current; }

PackingScope::PackingScope(Packing packing) : previous_(std::exchange(current, packing)) {}

PackingScope::~PackingScope() { current = previous_; }

}  // namespace musicldm::nn

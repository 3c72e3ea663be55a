// The table of everything that JavaScript can call. Each file under native/bindings/ adds its ops
// from a static initialiser, so that no central list has to be kept.
#pragma once

#include <functional>
#include <string>

#include "runtime/value.h"

namespace musicldm::runtime {

using Op = std::function<Value(const Args&)>;

// Adds an op under "stem.name". A name may be added once.
void add_op(const std::string& name, Op op);

// The op of that name; E_INTERNAL when there is none.
const Op& find_op(const std::string& name);

}  // namespace musicldm::runtime

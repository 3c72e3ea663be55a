#include "runtime/error.h"

#include <c10/util/Exception.h>

#include <array>
#include <new>
#include <string_view>

namespace musicldm::runtime {
namespace {

bool mentions(const std::string& message, std::string_view word) {
  return message.find(word) != std::string::npos;
}

// libtorch reports almost every misuse as one class, so its text has to tell the kinds apart.
std::string code_of(const std::string& message) {
  if (mentions(message, "not enough memory") || mentions(message, "out of memory") ||
      mentions(message, "can't allocate memory")) {
    return "E_OUT_OF_MEMORY";
  }
  constexpr std::array<std::string_view, 8> kShapeWords = {
      "size", "shape", "dimension", "Dimension", "expand", "broadcast", "channels", "numel"};
  for (const auto word : kShapeWords) {
    if (mentions(message, word)) return "E_SHAPE";
  }
  constexpr std::array<std::string_view, 4> kDtypeWords = {
      "dtype", "scalar type", "not implemented for '", "not supported for"};
  for (const auto word : kDtypeWords) {
    if (mentions(message, word)) return "E_DTYPE";
  }
  return "E_INTERNAL";
}

}  // namespace

Error translate_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const c10::OutOfMemoryError& error) {
    return Error("E_OUT_OF_MEMORY", error.what_without_backtrace());
  } catch (const c10::TypeError& error) {
    return Error("E_DTYPE", error.what_without_backtrace());
  } catch (const c10::IndexError& error) {
    return Error("E_ARGUMENT", error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    return Error(code_of(message), message);
  } catch (const std::bad_alloc&) {
    return Error("E_OUT_OF_MEMORY", "Not enough memory for this operation");
  } catch (const std::exception& error) {
    const std::string message = error.what();
    return Error(code_of(message), message);
  } catch (...) {
    return Error("E_INTERNAL", "An unknown native exception was thrown");
  }
}

}  // namespace musicldm::runtime

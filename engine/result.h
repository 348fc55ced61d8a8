// How the engines say that something went wrong: a value that cannot be ignored, never an exception.
//
// Three kinds of trouble, three answers (docs/architecture.md): what is expected (no such key) is a value,
// what the environment does (disk, damage, memory) is an Error in a Result, our own bug is an assertion.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace shale::engine {

enum class ErrorKind : std::uint8_t {
  io,            // a system call on a file failed; the message names call, file and errno
  no_space,      // the disk or quota is full
  corruption,    // a checksum or a structure is wrong; the message names file and offset
  not_resident,  // not a failure: the read needs blocks from disk, named in the ReadContext; load them and
                 // run again
  busy,     // not a failure: background work must catch up before this write is admitted; try again shortly
  stopped,  // writes have been stopped for good by an earlier error; reads go on
  locked,   // another process holds the folder
  unsupported,  // a format version or a setting this build does not know
};

struct Error {
  ErrorKind kind = ErrorKind::io;
  std::string message;  // for people; complete in itself; empty for not_resident and busy
};

// Found by argument-dependent lookup when value() is called on a Result that holds an Error: a bug of the
// caller.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("unchecked error: " + error.message);
}

// std::expected needs C++23; Boost's result is here already but may be ignored. Ours may not.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};
using Status = Result<void>;

inline Error corruption(std::string message) { return {ErrorKind::corruption, std::move(message)}; }

// True for the two kinds that mean "not now": the caller waits for what is named and runs again.
inline bool is_retry(const Error& error) {
  return error.kind == ErrorKind::not_resident || error.kind == ErrorKind::busy;
}

}  // namespace shale::engine

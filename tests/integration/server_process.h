// A shale-server of one's own: started on a free port with a temporary folder, killed, stopped, started
// again. For tests that talk to it as clients do. All waiting is for something to happen, with a deadline;
// nothing sleeps.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/server_program.h"

namespace shale::integration {

constexpr std::chrono::seconds kPatience{60};  // sanitizers on a busy machine are slow

class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = (std::filesystem::temp_directory_path() / "shale-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A port that nobody listens on at the moment. Another process may take it before we do: starting tries
// others then.
inline unsigned free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(descriptor);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

// Any program, with what it prints (stdout and stderr together).
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& command,
                        const std::vector<std::string>& environment = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives the test
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      for (const std::string& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
      std::vector<char*> arguments;
      arguments.reserve(command.size() + 1);
      for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    reader_ = std::thread([this, from = ends[0]] { read_output(from); });
  }
  ~ChildProcess() {
    if (!exit_code_) {
      ::kill(process_, SIGKILL);
      wait();
    }
    reader_.join();
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t id() const { return process_; }
  void send_signal(int number) { ::kill(process_, number); }
  // The exit code; the negative signal if one ended it. Waits for the end, and for all it has printed.
  int wait() {
    if (exit_code_) return *exit_code_;
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return ended_; });
    return *exit_code_;
  }
  std::string output() const {
    const std::lock_guard lock{mutex_};
    return output_;
  }
  // Until it has printed `text`; false if it ends, or time does, before that.
  bool wait_for_output(std::string_view text) const {
    std::unique_lock lock{mutex_};
    const auto printed = [&] { return output_.find(text) != std::string::npos; };
    changed_.wait_for(lock, kPatience, [&] { return ended_ || printed(); });
    return printed();
  }

 private:
  void read_output(int from) {
    char bytes[4096];
    for (ssize_t count; (count = ::read(from, bytes, sizeof bytes)) > 0;) {
      const std::lock_guard lock{mutex_};
      output_.append(bytes, static_cast<std::size_t>(count));
      changed_.notify_all();
    }
    ::close(from);
    const std::lock_guard lock{mutex_};
    ended_ = true;
    changed_.notify_all();
  }

  pid_t process_ = -1;
  std::optional<int> exit_code_;
  std::thread reader_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::string output_;
  bool ended_ = false;
};

class ServerProcess {
 public:
  // Starts it, and returns when it accepts connections. `arguments` come after --port and --dir.
  explicit ServerProcess(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) {
    start();
  }

  void start() {
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = free_port();
      std::vector<std::string> command{
          server_program(), "--port", std::to_string(port_), "--dir", folder_.path() + "/data",
          "--memory",       "256mb",  "--threads",           "2"};
      command.insert(command.end(), arguments_.begin(), arguments_.end());
      process_.emplace(command);
      if (process_->wait_for_output("Ready to accept connections")) return;
      if (process_->output().find("Address already in use") == std::string::npos) break;
    }
    throw std::runtime_error("shale-server does not start:\n" + process_->output());
  }
  // Asks it to stop; returns its exit code.
  int stop(int signal_number = SIGTERM) {
    process_->send_signal(signal_number);
    const int exit_code = process_->wait();
    check_sanitizers();
    return exit_code;
  }
  // kill -9, and wait until it is gone.
  void kill() {
    process_->send_signal(SIGKILL);
    process_->wait();
    check_sanitizers();
  }
  void restart() {
    stop();
    start();
  }
  // From the next start on.
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }

  unsigned port() const { return port_; }
  const std::string& folder() const { return folder_.path(); }  // the data is in its folder "data"
  ChildProcess& process() { return *process_; }

 private:
  // What a sanitizer finds in the server is a failure of the test, also if the test is content otherwise.
  void check_sanitizers() {
    const std::string output = process_->output();
    for (const char* sign : {"ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "runtime error:"}) {
      if (output.find(sign) != std::string::npos) ADD_FAILURE() << output;
    }
  }

  TemporaryFolder folder_;
  std::vector<std::string> arguments_;
  unsigned port_ = 0;
  std::optional<ChildProcess> process_;
};

// What a run of shale-server with these arguments, which is expected to end, comes to.
struct Outcome {
  int exit_code;
  std::string output;
};
inline Outcome run_server(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {}) {
  std::vector<std::string> command{server_program()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  ChildProcess process{command, environment};
  const int exit_code = process.wait();
  return {exit_code, process.output()};
}

}  // namespace shale::integration

#include "src/acl/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "src/acl/text.h"
#include "src/replace_file.h"

namespace shale::server::acl {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::vector<std::string_view> split_at_blanks(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = trimmed(line.substr(0, end));
    if (!word.empty()) words.push_back(word);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

// One line of a file. What is wrong is appended to `errors`; `place` is "file:line".
void parse_line(std::string_view line, std::string_view place, std::size_t line_number,
                bool channels_by_default, Users::Definitions& definitions, std::string& errors) {
  const std::vector<std::string_view> words = split_at_blanks(line);
  if (words.empty()) return;
  if (words[0] != "user" || words.size() < 2) {
    errors += fmt::format("{} should start with user keyword followed by the username. ", place);
    return;
  }
  const std::string name{words[1]};
  if (has_blanks(name)) {
    errors += fmt::format("'{}: username '{}' contains invalid characters. ", place, name);
    return;
  }
  const auto [defined, is_new] = definitions.try_emplace(name, channels_by_default);
  if (!is_new) {
    errors += fmt::format("WARNING: Duplicate user '{}' found on line {}. ", name, line_number);
    return;
  }
  std::string_view unmatched;
  const auto rules = merge_selectors(std::span{words}.subspan(2), unmatched);
  if (!rules) {
    errors += fmt::format("{}: Unmatched parenthesis in selector definition.", place);
    return;
  }
  bool said = false;
  for (const std::string& rule : *rules) {
    const RuleProblem problem = defined->second.apply(rule);
    if (problem == RuleProblem::unknown_command) {
      errors += fmt::format("{}: Error in applying operation '{}': {}. ", place, rule, message_of(problem));
    } else if (problem != RuleProblem::none && !said) {
      // Of a rule that may be a password only the kind of mistake is told.
      errors += fmt::format("{}: {}. ", place, message_of(problem));
      said = true;
    }
  }
}

// Closed at the end of the scope.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  const int descriptor_;
};

}  // namespace

std::optional<std::string> add_definition(std::span<const std::string_view> words, bool channels_by_default,
                                          Users::Definitions& definitions) {
  if (words.empty()) return "a name is missing";
  if (has_blanks(words[0])) return "Spaces not allowed in ACL usernames";
  const auto [defined, is_new] = definitions.try_emplace(std::string{words[0]}, channels_by_default);
  if (!is_new) return "Duplicate user found. A user can only be defined once in config files";
  std::string_view unmatched;
  const auto rules = merge_selectors(words.subspan(1), unmatched);
  if (!rules) return "Unmatched parenthesis in selector definition";
  for (const std::string& rule : *rules) {
    const RuleProblem problem = defined->second.apply(rule);
    if (problem == RuleProblem::unknown_command) return fmt::format("'{}': {}", rule, message_of(problem));
    if (problem != RuleProblem::none) return std::string{message_of(problem)};
  }
  return std::nullopt;
}

std::optional<Users::Definitions> parse_file(std::string_view contents, std::string_view name,
                                             bool channels_by_default, std::string& errors) {
  Users::Definitions definitions;
  for (std::size_t line_number = 1; !contents.empty(); ++line_number) {
    const std::size_t end = std::min(contents.find('\n'), contents.size());
    parse_line(trimmed(contents.substr(0, end)), fmt::format("{}:{}", name, line_number), line_number,
               channels_by_default, definitions, errors);
    contents.remove_prefix(std::min(end + 1, contents.size()));
  }
  if (errors.empty()) return definitions;
  errors += "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
  return std::nullopt;
}

std::string describe_users(const Users& users) {
  std::string text;
  for (const auto& [name, rules] : users.list()) text += fmt::format("user {} {}\n", name, rules->describe());
  return text;
}

std::optional<std::string> read_file(const std::string& path, std::string& error) {
  const OpenFile file{path, O_RDONLY};
  std::string contents;
  char bytes[16384];
  ssize_t count = file.is_open() ? 1 : -1;
  while (count > 0) {
    count = ::read(file.descriptor(), bytes, sizeof bytes);
    if (count > 0) contents.append(bytes, static_cast<std::size_t>(count));
    if (count < 0 && errno == EINTR) count = 1;
  }
  if (count == 0) return contents;
  error = fmt::format("Error loading ACLs, opening file '{}': {}", path, std::strerror(errno));
  return std::nullopt;
}

std::optional<std::string> write_file(const std::string& path, std::string_view contents) {
  if (replace_file(path, contents)) return std::nullopt;
  return std::strerror(errno);
}

void FileJob::run() {
  if (writes_) {
    error_ = write_file(path_, contents_).value_or("");
  } else {
    contents_ = read_file(path_, error_).value_or("");
  }
  done_.store(true, std::memory_order_release);
}

}  // namespace shale::server::acl

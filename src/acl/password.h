// Passwords are kept and compared as SHA-256 hashes: 64 hexadecimal digits in lower case.
#pragma once

#include <string>
#include <string_view>

namespace shale::server::acl {

std::string hash_password(std::string_view password);
bool is_password_hash(std::string_view text);
// Both are hashes. The time it takes does not tell where they differ.
bool same_hash(std::string_view one, std::string_view other);

// So many hexadecimal digits, from the operating system's generator for secrets. Empty if that one fails.
std::string random_digits(std::size_t count);

}  // namespace shale::server::acl

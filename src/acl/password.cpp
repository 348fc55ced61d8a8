#include "src/acl/password.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <span>
#include <vector>

namespace shale::server::acl {
namespace {

constexpr std::size_t kHashDigits = std::size_t{2} * SHA256_DIGEST_LENGTH;
constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hexadecimal(std::span<const unsigned char> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

}  // namespace

std::string hash_password(std::string_view password) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(password.data()), password.size(), digest);
  return to_hexadecimal(digest);
}

bool is_password_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::ranges::all_of(text, [](char digit) { return kDigits.find(digit) != std::string_view::npos; });
}

bool same_hash(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string random_digits(std::size_t count) {
  std::vector<unsigned char> bytes((count + 1) / 2);
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
  std::string digits = to_hexadecimal(bytes);
  digits.resize(count);
  return digits;
}

}  // namespace shale::server::acl

// What all TLS connections have in common: the server's certificate, whom it trusts, what it speaks. Made
// from the tls-* options, and made anew when CONFIG SET changes them; a connection keeps what it began with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include "src/config.h"

namespace shale::server::tls {

enum class ClientCertificates : std::uint8_t {
  ignored,
  required,
  checked
};  // tls-auth-clients no, yes, optional

struct Settings {
  std::string certificate_file;
  std::string key_file;
  std::string key_password;
  std::string authorities_file;
  std::string authorities_folder;
  ClientCertificates clients = ClientCertificates::required;
  std::string protocols;     // "TLSv1.2 TLSv1.3"
  std::string ciphers;       // for TLSv1.2
  std::string ciphersuites;  // for TLSv1.3
  bool prefers_server_ciphers = false;
};
// `changes` go before what the options say.
Settings settings_of(const Config& config, const Config::Changes& changes = {});
bool is_tls_setting(Option option);

class Context {
 public:
  // Reads the files: waits for the disk. nullptr if anything is wrong: `problem` names the option and says
  // what.
  static std::shared_ptr<Context> make(const Settings& settings, std::string& problem);

  SSL_CTX* native() { return context_.native_handle(); }

 private:
  Context() : context_(boost::asio::ssl::context::tls_server) {}
  std::optional<std::string> load(const Settings& settings);
  std::optional<std::string> load_certificate(const Settings& settings);
  std::optional<std::string> load_authorities(const Settings& settings);
  std::optional<std::string> set_protocols(const std::string& protocols);
  std::optional<std::string> set_ciphers(const Settings& settings);

  boost::asio::ssl::context context_;
};

// The newest error that OpenSSL has noted on this thread, as text; forgets all of them.
std::string take_openssl_error();

}  // namespace shale::server::tls

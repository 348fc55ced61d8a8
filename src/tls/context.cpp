#include "src/tls/context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "src/command/arguments.h"

namespace shale::server::tls {
namespace {

namespace ssl = boost::asio::ssl;

std::string problem_with(Option option, std::string_view value, std::string_view why) {
  return fmt::format("option '{}': '{}': {}", option_spec(option).name, value, why);
}

ClientCertificates client_certificates(std::string_view choice) {
  if (choice == "no") return ClientCertificates::ignored;
  return choice == "optional" ? ClientCertificates::checked : ClientCertificates::required;
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (error == 0) return "unknown error";
  if (ERR_SYSTEM_ERROR(error))
    return std::error_code(ERR_GET_REASON(error), std::generic_category()).message();
  const char* const reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", error);
}

Settings settings_of(const Config& config, const Config::Changes& changes) {
  const auto text = [&](Option option) {
    const auto changed = std::ranges::find(changes, option, &Config::Changes::value_type::first);
    return changed != changes.end() ? changed->second.text : config.text(option);
  };
  return {.certificate_file = text(Option::tls_cert_file),
          .key_file = text(Option::tls_key_file),
          .key_password = text(Option::tls_key_file_pass),
          .authorities_file = text(Option::tls_ca_cert_file),
          .authorities_folder = text(Option::tls_ca_cert_dir),
          .clients = client_certificates(text(Option::tls_auth_clients)),
          .protocols = text(Option::tls_protocols),
          .ciphers = text(Option::tls_ciphers),
          .ciphersuites = text(Option::tls_ciphersuites),
          .prefers_server_ciphers = text(Option::tls_prefer_server_ciphers) == "yes"};
}

bool is_tls_setting(Option option) {
  return option >= Option::tls_cert_file && option <= Option::tls_prefer_server_ciphers;
}

std::shared_ptr<Context> Context::make(const Settings& settings, std::string& problem) {
  std::shared_ptr<Context> context{new Context};
  if (auto failed = context->load(settings)) {
    problem = std::move(*failed);
    return nullptr;
  }
  return context;
}

std::optional<std::string> Context::load(const Settings& settings) {
  ERR_clear_error();
  SSL_CTX_set_options(native(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (settings.prefers_server_ciphers) SSL_CTX_set_options(native(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  // What is written may have moved when it is written further; an idle connection keeps no buffers. Sessions
  // are resumed by tickets that clients keep: the server remembers nothing of them.
  SSL_CTX_set_mode(native(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(native(), SSL_SESS_CACHE_OFF);
  constexpr unsigned char kSessionContext[] = "shale";
  SSL_CTX_set_session_id_context(native(), kSessionContext, sizeof kSessionContext);
  if (auto problem = set_protocols(settings.protocols)) return problem;
  if (auto problem = set_ciphers(settings)) return problem;
  if (auto problem = load_certificate(settings)) return problem;
  return load_authorities(settings);
}

std::optional<std::string> Context::load_certificate(const Settings& settings) {
  if (settings.certificate_file.empty()) return "option 'tls-cert-file' is needed for TLS";
  if (settings.key_file.empty()) return "option 'tls-key-file' is needed for TLS";
  // Without this, OpenSSL would ask at the terminal.
  context_.set_password_callback(
      [password = settings.key_password](std::size_t, ssl::context::password_purpose) { return password; });
  boost::system::error_code failed;
  context_.use_certificate_chain_file(settings.certificate_file, failed);
  if (failed) return problem_with(Option::tls_cert_file, settings.certificate_file, failed.message());
  context_.use_private_key_file(settings.key_file, ssl::context::pem, failed);
  if (failed) return problem_with(Option::tls_key_file, settings.key_file, failed.message());
  if (SSL_CTX_check_private_key(native()) != 1) {
    return problem_with(Option::tls_key_file, settings.key_file, take_openssl_error());
  }
  return std::nullopt;
}

std::optional<std::string> Context::load_authorities(const Settings& settings) {
  const bool none = settings.authorities_file.empty() && settings.authorities_folder.empty();
  if (none && settings.clients != ClientCertificates::ignored) {
    return "option 'tls-ca-cert-file' or 'tls-ca-cert-dir' is needed to check clients' certificates; see "
           "tls-auth-clients";
  }
  boost::system::error_code failed;
  if (!settings.authorities_file.empty()) {
    context_.load_verify_file(settings.authorities_file, failed);
    if (failed) return problem_with(Option::tls_ca_cert_file, settings.authorities_file, failed.message());
    SSL_CTX_set_client_CA_list(native(), SSL_load_client_CA_file(settings.authorities_file.c_str()));
  }
  if (!settings.authorities_folder.empty()) {
    std::error_code missing;
    if (!std::filesystem::is_directory(settings.authorities_folder, missing)) {
      return problem_with(Option::tls_ca_cert_dir, settings.authorities_folder, "there is no such folder");
    }
    context_.add_verify_path(settings.authorities_folder, failed);
    if (failed) return problem_with(Option::tls_ca_cert_dir, settings.authorities_folder, failed.message());
  }
  int mode = SSL_VERIFY_NONE;
  if (settings.clients != ClientCertificates::ignored) mode |= SSL_VERIFY_PEER;
  if (settings.clients == ClientCertificates::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(native(), mode, nullptr);
  return std::nullopt;
}

std::optional<std::string> Context::set_protocols(const std::string& protocols) {
  bool has_1_2 = protocols.empty();
  bool has_1_3 = protocols.empty();
  std::istringstream words{protocols};
  for (std::string word; words >> word;) {
    const bool is_1_2 = equals_ignoring_case(word, "TLSv1.2");
    if (!is_1_2 && !equals_ignoring_case(word, "TLSv1.3")) {
      return problem_with(Option::tls_protocols, protocols, fmt::format("there is no '{}'", word));
    }
    (is_1_2 ? has_1_2 : has_1_3) = true;
  }
  if (!has_1_2 && !has_1_3) return problem_with(Option::tls_protocols, protocols, "that is none");
  SSL_CTX_set_min_proto_version(native(), has_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(native(), has_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  return std::nullopt;
}

std::optional<std::string> Context::set_ciphers(const Settings& settings) {
  if (!settings.ciphers.empty() && SSL_CTX_set_cipher_list(native(), settings.ciphers.c_str()) != 1) {
    return problem_with(Option::tls_ciphers, settings.ciphers, take_openssl_error());
  }
  if (!settings.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(native(), settings.ciphersuites.c_str()) != 1) {
    return problem_with(Option::tls_ciphersuites, settings.ciphersuites, take_openssl_error());
  }
  return std::nullopt;
}

}  // namespace shale::server::tls

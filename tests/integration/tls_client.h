// TLS for tests: certificates, made when they are needed, and a client.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/integration/server_process.h"

namespace shale::integration {

template <auto free>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using X509Certificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;

// A certificate and its key; signed by itself, or by an authority.
class Certificate {
 public:
  explicit Certificate(const std::string& name, const Certificate* authority = nullptr)
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), ++serial_number());
    constexpr long kDaySeconds = 86400;
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), -kDaySeconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), kDaySeconds);
    X509_set_pubkey(certificate_.get(), key_.get());
    X509_NAME* subject = X509_get_subject_name(certificate_.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    const Certificate& issuer = authority != nullptr ? *authority : *this;
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer.certificate_.get()));
    if (authority == nullptr) add_extension(NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate_.get(), issuer.key_.get(), EVP_sha256());
  }

  // Writes `path`.pem and `path`.key, the latter encrypted if there is a password.
  void write(const std::string& path, const std::string& password = {}) const {
    const auto certificate_file = open(path + ".pem");
    PEM_write_X509(certificate_file.get(), certificate_.get());
    const auto key_file = open(path + ".key");
    const auto* secret = reinterpret_cast<const unsigned char*>(password.data());
    PEM_write_PrivateKey(key_file.get(), key_.get(), password.empty() ? nullptr : EVP_aes_128_cbc(),
                         password.empty() ? nullptr : secret, static_cast<int>(password.size()), nullptr,
                         nullptr);
  }
  X509* x509() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  using File = std::unique_ptr<std::FILE, OpenSslFree<std::fclose>>;
  static File open(const std::string& path) {
    File file{std::fopen(path.c_str(), "w")};
    if (file == nullptr) throw std::runtime_error("cannot write " + path);
    return file;
  }
  static long& serial_number() {
    static long last = 0;
    return last;
  }
  void add_extension(int kind, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  PrivateKey key_;
  X509Certificate certificate_;
};

// Speaks TLS to a server that `authority` vouches for, and shows `identity`, if there is one.
class TlsClient {
 public:
  TlsClient(unsigned port, const Certificate& authority, const Certificate* identity = nullptr,
            int protocol = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method())),
        descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SSL_CTX_set_max_proto_version(context_.get(), protocol);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority.x509());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (identity != nullptr) {
      SSL_CTX_use_certificate(context_.get(), identity->x509());
      SSL_CTX_use_PrivateKey(context_.get(), identity->key());
    }
    const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(descriptor_);
      throw std::runtime_error("cannot connect");
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), descriptor_);
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() { ::close(descriptor_); }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Whether the handshake has succeeded, as far as the client can know: with TLS 1.3, a server refuses the
  // client's certificate only behind it.
  bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    std::size_t count = 0;
    return connected_ && SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count) == 1;
  }
  // Until so many bytes have come, or the connection has ended.
  std::string receive(std::size_t bytes) {
    std::string received(bytes, '\0');
    std::size_t at = 0;
    std::size_t count = 0;
    while (connected_ && at < bytes &&
           SSL_read_ex(ssl_.get(), received.data() + at, bytes - at, &count) == 1) {
      at += count;
    }
    received.resize(at);
    return received;
  }
  // "+PONG\r\n" if all is well.
  std::string ping() {
    ERR_clear_error();
    return send("PING\r\n") ? receive(7) : std::string{};
  }
  // Whether the server has said goodbye, and not just hung up.
  bool closed_in_order() {
    char byte = 0;
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), &byte, 1, &count);
    return result != 1 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN;
  }
  void update_keys() { SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED); }
  std::string subject_of_server() const {
    const X509Certificate shown{SSL_get1_peer_certificate(ssl_.get())};
    char name[256] = "";
    if (shown != nullptr)
      X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name, sizeof name);
    return name;
  }
  int protocol() const { return SSL_version(ssl_.get()); }

 private:
  std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>> context_;
  int descriptor_;
  std::unique_ptr<SSL, OpenSslFree<SSL_free>> ssl_;
  bool connected_ = false;
};

}  // namespace shale::integration

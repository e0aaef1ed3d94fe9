// OpenSSL 3 for Swift. Function-like macros don't import, so those that are
// needed stand here as inline functions of the same meaning.
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline long marquee_ssl_ctx_set_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_mode(context, mode);
}
static inline int marquee_ssl_ctx_set_min_proto_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version);
}
static inline long marquee_bio_get_mem_data(BIO *bio, char **data) {
  return BIO_get_mem_data(bio, data);
}
static inline int marquee_ssl_ctx_set_max_proto_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_max_proto_version(context, version);
}
static inline long marquee_ssl_ctx_set_groups(SSL_CTX *context, const char *names) {
  return SSL_CTX_set1_groups_list(context, names);
}
// For the handshake, and for certificates that a server asks its clients for.
static inline int marquee_ssl_ctx_set_signature_algorithms(SSL_CTX *context, const char *names) {
  return SSL_CTX_set1_sigalgs_list(context, names) == 1 && SSL_CTX_set1_client_sigalgs_list(context, names) == 1;
}
// Takes the certificate over.
static inline long marquee_ssl_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
  return SSL_CTX_add0_chain_cert(context, certificate);
}

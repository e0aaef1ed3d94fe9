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

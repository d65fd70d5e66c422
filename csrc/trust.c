/* trust: whose certificates a transfer takes; see trust.h.
**
** Debian's libcurl trusts a file of 140 CAs, all of which are parsed, and a directory of the same,
** of which the one needed is read. A connection waits 14 ms for the file; 22 ms if the directory is
** named as well, which keeps libcurl from parsing the file once for all connections. */
#include "trust.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/stat.h>

#include "libcurl.h"
#include "locks.h"

/* Does not compile where libcurl's words are of another length. */
typedef char words_fit[TR_TRUST_WORDS_MAX == CURL_ERROR_SIZE ? 1 : -1];

static int is_directory(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A machine may have only one of both in order. What was of use goes first from then on. */
static int is_file_first;

static void set_file_first(int is) {
  tr_lock(TR_LOCK_LIBCURL);
  is_file_first = is;
  tr_unlock(TR_LOCK_LIBCURL);
}

static int get_file_first(void) {
  tr_lock(TR_LOCK_LIBCURL);
  int is = is_file_first;
  tr_unlock(TR_LOCK_LIBCURL);
  return is;
}

static int set_path(CURL *easy, const char *path) {
  if (is_directory(path)) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    CURLcode result = curl_easy_setopt(easy, CURLOPT_CAPATH, path);
    if (result == CURLE_OK || result == CURLE_OUT_OF_MEMORY) return result == CURLE_OK ? 0 : -1;
    /* Its TLS library reads files alone, and says so of this one when it connects. */
  }
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  return curl_easy_setopt(easy, CURLOPT_CAINFO, path) == CURLE_OK ? 0 : -1;
}

int tr_trust_set(void *easy, const char *path, struct tr_trust *trust) {
  const struct tr_libcurl *about = tr_libcurl_about();
  memset(trust, 0, sizeof *trust);
  if (path) return set_path(easy, path);
  if (!about->ca_file) return 0;
  if (!about->ca_directory) return set_path(easy, about->ca_file);
  int file_first = get_file_first();
  trust->other = file_first ? about->ca_directory : about->ca_file;
  return set_path(easy, file_first ? about->ca_file : about->ca_directory);
}

/* Whether other CAs may know better. OpenSSL's reasons: a CA of the chain is not known (2, 20, 21),
** or ends it and is not trusted (18, 19); not that a known one's certificate is out of date, or for
** another host. */
static int may_be_known(CURL *easy, int result) {
  long why = 0;
  if (result == CURLE_SSL_CACERT_BADFILE) return 1;
  if (result != CURLE_PEER_FAILED_VERIFICATION) return 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &why);
  return why == 2 || (why >= 18 && why <= 21);
}

static void learn(CURL *easy, const struct tr_trust *trust) {
  curl_off_t ready = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (ready > 0) set_file_first(trust->other == tr_libcurl_about()->ca_file);
}

int tr_trust_turn(void *easy, struct tr_trust *trust, int *result, char *words) {
  if (trust->has_turned && *result == CURLE_SSL_CACERT_BADFILE) {
    *result = trust->result;
    memcpy(words, trust->words, sizeof trust->words);
  } else if (trust->has_turned) {
    learn(easy, trust);
  } else if (trust->other && may_be_known(easy, *result)) {
    trust->has_turned = 1;
    trust->result = *result;
    memcpy(trust->words, words, sizeof trust->words);
    return set_path(easy, trust->other) == 0 ? 1 : -1;
  }
  return 0;
}

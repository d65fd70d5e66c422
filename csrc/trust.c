/* trust: whose certificates a transfer takes; see trust.h.
**
** Debian's libcurl trusts a file of 140 CAs, all of which are parsed, and a directory of the same,
** of which the one needed is read. A connection waits 14 ms for the file; 22 ms if the directory is
** named as well, which keeps libcurl from parsing the file once for all connections. */
#include "trust.h"

#include <curl/curl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcurl.h"
#include "locks.h"

static int is_directory(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A machine may have the file alone in order. What is found out once holds for the process. */
static int fell_short(int news) {
  static int is_known;
  tr_lock(TR_LOCK_LIBCURL);
  is_known |= news;
  int is = is_known;
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

int tr_trust_set(void *easy, const char *path, const char **other) {
  const struct tr_libcurl *about = tr_libcurl_about();
  *other = NULL;
  if (path) return set_path(easy, path);
  if (!about->ca_file) return 0;
  if (!about->ca_directory) return set_path(easy, about->ca_file);
  int is_file_first = fell_short(0);
  *other = is_file_first ? about->ca_directory : about->ca_file;
  return set_path(easy, is_file_first ? about->ca_file : about->ca_directory);
}

int tr_trust_turn(void *easy, int result, const char **other) {
  const char *next = *other;
  long why = 0; /* of the certificate; a wrong host name is no reason */
  *other = NULL;
  if (result != CURLE_PEER_FAILED_VERIFICATION || !next || access(next, R_OK) != 0) return 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &why);
  if (why == 0) return 0;
  if (!is_directory(next)) (void)fell_short(1);
  return set_path(easy, next) == 0;
}

/* libcurl: what there is of libcurl once in a process; see libcurl.h. */
#include "libcurl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "locks.h"
#include "scrub.h"

/* Other TLS libraries than OpenSSL read a directory whole, if at all. */
static void find_cas(struct tr_libcurl *out, const curl_version_info_data *about) {
#if LIBCURL_VERSION_NUM >= 0x074600
  struct stat directory;
  if (about->age < CURLVERSION_SEVENTH) return;
  out->ca_file = about->cainfo;
  if (about->capath && about->ssl_version && strncmp(about->ssl_version, "OpenSSL/", 8) == 0 &&
      stat(about->capath, &directory) == 0 && S_ISDIR(directory.st_mode))
    out->ca_directory = about->capath;
#else
  (void)out;
  (void)about;
#endif
}

/* Not by curl_version(): for the version of LDAP it has that set itself up, which loads what it may
** ever need, and takes as long as a small answer. */
const struct tr_libcurl *tr_libcurl_about(void) {
  static struct tr_libcurl known;
  tr_lock(TR_LOCK_LIBCURL);
  if (!known.version) {
    const curl_version_info_data *about = curl_version_info(CURLVERSION_NOW);
    find_cas(&known, about);
    (void)snprintf(known.name, sizeof known.name, "libcurl/%s %s", about->version,
                   about->ssl_version ? about->ssl_version : "without TLS");
    known.version = about->version_num;
  }
  tr_unlock(TR_LOCK_LIBCURL);
  return &known;
}

/* libcurl writes credentials into buffers of requests, which it frees as they are. Where the
** process has set libcurl up before, its own allocator stays. */
int tr_libcurl_init(void) {
  static int is_initialised;
  tr_lock(TR_LOCK_LIBCURL);
  if (!is_initialised)
    is_initialised =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, tr_scrub_malloc, tr_scrub_free, tr_scrub_realloc,
                             tr_scrub_strdup, tr_scrub_calloc) == CURLE_OK;
  int status = is_initialised ? 0 : -1;
  tr_unlock(TR_LOCK_LIBCURL);
  return status;
}

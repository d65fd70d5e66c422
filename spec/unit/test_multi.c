/* Unit tests of the multi handle where libcurl fails, which is played here: libcurl itself is not
** linked, and nothing is transferred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "libcurl.h"
#include "multi.h"

/* Each may be a function-like macro that checks types. */
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

#define MANY (TR_GATE_STREAMS + 10)

/* ---- a libcurl that does nothing but fail ---- */

static int handles, added, is_short, is_broken;
static curl_prereq_callback on_request;

int tr_libcurl_init(void) {
  return 0;
}

CURLM *curl_multi_init(void) {
  if (is_short) return NULL;
  handles++;
  return &handles;
}

CURLMcode curl_multi_cleanup(CURLM *multi) {
  assert_ptr_equal(multi, &handles);
  handles--;
  return CURLM_OK;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  (void)multi, (void)option;
  return CURLM_OK;
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy) {
  (void)easy;
  assert_ptr_equal(multi, &handles);
  added++;
  return CURLM_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy) {
  (void)easy;
  added -= multi != NULL;
  return multi ? CURLM_OK : CURLM_BAD_HANDLE;
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int flags, int *running) {
  (void)multi, (void)fd, (void)flags;
  *running = 0;
  return is_broken ? CURLM_OUT_OF_MEMORY : CURLM_OK;
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left) {
  (void)multi;
  *left = 0;
  return NULL;
}

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
  (void)easy;
  va_list rest;
  va_start(rest, option);
  if (option == CURLOPT_PREREQFUNCTION) on_request = va_arg(rest, curl_prereq_callback);
  va_end(rest);
  return CURLE_OK;
}

/* Nobody is connected. */
CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...) {
  (void)easy, (void)info;
  return CURLE_OK;
}

/* ---- the tests ---- */

static struct tr_multi multi;
static struct tr_transfer transfers[MANY];
static int ended, looks[MANY], unconnected;

CURLcode curl_easy_pause(CURL *easy, int what) {
  int i = (int)((struct tr_transfer *)easy - transfers);
  if (i == unconnected) return CURLE_BAD_FUNCTION_ARGUMENT;
  looks[i] += what == CURLPAUSE_CONT;
  return CURLE_OK;
}

static void on_ended(void *arg, int result) {
  (void)arg;
  assert_int_equal(result, CURLE_OUT_OF_MEMORY);
  ended++;
}

static int begin(void **state) {
  (void)state;
  memset(&multi, 0, sizeof multi);
  memset(transfers, 0, sizeof transfers);
  memset(looks, 0, sizeof looks);
  handles = added = is_short = is_broken = ended = 0;
  unconnected = -1;
  if (tr_multi_init(&multi, NULL, -1) != 0) return -1;
  for (int i = 0; i < MANY; i++) {
    transfers[i].easy = &transfers[i];
    transfers[i].host = 1;
    transfers[i].ended = on_ended;
    if (tr_multi_start(&multi, &transfers[i]) != 0) return -1;
  }
  return added == TR_GATE_STREAMS + 1 ? 0 : -1;
}

static void break_handle(void) {
  is_broken = 1;
  tr_multi_look(&multi, TR_MULTI_MARK, 0);
  is_broken = 0;
  (void)tr_multi_report(&multi);
}

static void stop_all(void) {
  for (int i = 0; i < MANY; i++)
    if (transfers[i].multi) tr_multi_stop(&multi, &transfers[i]);
  tr_multi_cleanup(&multi);
}

static void test_another_handle(void **state) {
  (void)state;
  break_handle();
  assert_int_equal(ended, TR_GATE_STREAMS + 1);
  assert_int_equal(handles, 1);
  assert_int_equal(added, MANY - TR_GATE_STREAMS - 1); /* those that waited run in another */
  stop_all();
  assert_int_equal(added, 0);
  assert_int_equal(handles, 0);
}

/* What ended is not listed any more: its owner may free it. */
static void test_no_other_handle(void **state) {
  (void)state;
  is_short = 1;
  break_handle();
  while (multi.has_failures)
    (void)tr_multi_report(&multi);
  assert_int_equal(ended, MANY);
  assert_null(multi.transfers);
  assert_null(multi.gate.lanes);
  assert_int_equal(added, 0);
  is_short = 0;
  assert_int_equal(tr_multi_start(&multi, &transfers[0]), 0);
  assert_int_equal(added, 1);
  tr_multi_stop(&multi, &transfers[0]);
  tr_multi_cleanup(&multi);
  assert_int_equal(handles, 0);
}

/* The transfer has a connection, or another: with that port here. */
static void connect_by(int i, int port) {
  assert_int_equal(on_request(&transfers[i], NULL, NULL, 443, port), CURL_PREREQFUNC_OK);
}

/* Whoever is on a connection that one had to leave is looked at, once, and nobody else. */
static void test_left_connection(void **state) {
  (void)state;
  const int ports[] = {1000, 1000, 1000, 2000, 1000, 0};
  transfers[4].host = 2;
  for (int i = 0; i < 5; i++)
    connect_by(i, ports[i]);
  (void)tr_multi_report(&multi);
  for (int i = 0; i < 6; i++)
    assert_int_equal(looks[i], 0);
  connect_by(1, 3000);
  connect_by(1, 4000); /* in the same run */
  (void)tr_multi_report(&multi);
  (void)tr_multi_report(&multi);
  for (int i = 0; i < 6; i++)
    assert_int_equal(looks[i], i == 0 || i == 2);
  connect_by(0, 2000);
  connect_by(3, 5000);
  unconnected = 0; /* by now: that is no failure */
  (void)tr_multi_report(&multi);
  assert_int_equal(looks[2], 2);
  assert_int_equal(ended, 0);
  assert_false(multi.has_failures);
  stop_all();
}

/* A handle that broke is not called any more. */
static void test_left_connection_of_a_broken_handle(void **state) {
  (void)state;
  connect_by(0, 1000);
  connect_by(1, 1000);
  connect_by(0, 2000);
  break_handle();
  assert_int_equal(looks[1], 0);
  assert_int_equal(ended, TR_GATE_STREAMS + 1);
  stop_all();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_another_handle, begin),
      cmocka_unit_test_setup(test_no_other_handle, begin),
      cmocka_unit_test_setup(test_left_connection, begin),
      cmocka_unit_test_setup(test_left_connection_of_a_broken_handle, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

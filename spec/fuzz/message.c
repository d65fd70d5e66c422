/* Fuzzes what is done to texts from outside before they are shown. An input is a digit, a secret, a
** newline and a text; the digit is the size of what an excerpt may take. What is shown is one line
** of printable UTF-8 within its bound, and a secret is in nothing that was redacted; but for one
** with an asterisk, which the asterisks put there may complete. */
#include "error.h"

#include "fuzz.h"

#define SECRET_MIN 4 /* shorter ones are not looked for */

/* By RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF; the bytes taken, 0: none. */
static size_t character_at(const unsigned char *s, unsigned *c) {
  size_t more = *s < 0x80 ? 0 : *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
  static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
  if (*s >= 0x80 && (*s < 0xc2 || *s > 0xf4)) return 0;
  *c = more ? *s & (0x3fU >> more) : *s;
  for (size_t i = 1; i <= more; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
    *c = *c << 6 | (s[i] & 0x3f);
  }
  return *c < least[more] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : more + 1;
}

static void check_line(const char *text) {
  for (const unsigned char *at = (const unsigned char *)text; *at;) {
    unsigned c = 0;
    size_t taken = character_at(at, &c);
    FUZZ_CHECK(taken);
    FUZZ_CHECK(c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0));
    FUZZ_CHECK(!(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069));
    at += taken;
  }
}

static void check_redacted(struct fuzz_input in, const char *secret) {
  size_t size = strlen(secret);
  char *copy = fuzz_copy(in.at, in.left);
  tr_redact(copy, in.left, secret);
  if (size >= SECRET_MIN) {
    FUZZ_CHECK(strchr(secret, '*') || !memmem(copy, in.left, secret, size));
    for (size_t i = 0; i < in.left; i++)
      FUZZ_CHECK(copy[i] == in.at[i] || copy[i] == '*');
  } else {
    FUZZ_CHECK(in.left == 0 || memcmp(copy, in.at, in.left) == 0);
  }
  free(copy);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input in = fuzz_input(data, size);
  struct tr_error error;
  size_t room = fuzz_digit(&in);
  char *secret = fuzz_text(fuzz_part(&in, '\n')), *bytes = fuzz_copy(in.at, in.left);
  check_redacted(in, secret);
  char *out = malloc(room + 1);
  FUZZ_CHECK(out);
  memset(out, 'x', room + 1);
  tr_excerpt(out, room, bytes, in.left);
  FUZZ_CHECK(out[room] == 'x');
  if (room) {
    FUZZ_CHECK(memchr(out, '\0', room));
    check_line(out);
  }
  free(out);
  free(bytes);
  char *text = fuzz_text(in);
  tr_error_clear(&error);
  memset(error.message, 'x', sizeof error.message);
  tr_error_set(&error, TR_SERVER, "%s: %s", secret, text);
  FUZZ_CHECK(memchr(error.message, '\0', sizeof error.message));
  check_line(error.message);
  free(text);
  free(secret);
  return 0;
}

/* number: the text of a JSON number -> the double nearest to it, as strtod's, in half of its time or
** less for what a service writes: no exponent, and at most 19 digits. Processors round to the
** nearest unless a program tells them otherwise, in which case so may the last bit be. Knows nothing
** of Lua. */
#ifndef TR_NUMBER_H
#define TR_NUMBER_H

/* Once, before any is read; more often does no harm. */
void tr_number_prepare(void);

/* Behind the number that the text begins with, of whose kind there are as few as can be: an integer
** is digits alone, at most 15 of them. NULL: it begins with none, or with one that is too large or
** too long to be read here. The text ends with NUL. */
const char *tr_number_read(const char *text, int is_integer, double *number);

#endif

/* version: the one place that says which release this is. */
#ifndef TR_VERSION_H
#define TR_VERSION_H

#define TR_VERSION "0.1.0"

#endif

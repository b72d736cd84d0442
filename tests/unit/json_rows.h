/* Documents that are no JSON to the letter of RFC 8259: what two readers could
 * take for two things is refused by ours. Before it is included, VALUE(text)
 * is to be a document of that reader's in which @text stands for a text. */
#ifndef TESTS_UNIT_JSON_ROWS_H
#define TESTS_UNIT_JSON_ROWS_H

#include <stddef.h>

struct document {
	const char *p;
	size_t n;
};

#define DOC(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}
#define NUMBERED(value) DOC("{\"version\":" value "}")
#define TEXT(text)      VALUE("\"" text "\"")

static const struct document no_json[] = {
	/* Not an object, not one, or not all of one. */
	DOC(""),
	DOC(" \n"),
	DOC("1"),
	DOC("null"),
	DOC("\"version\""),
	DOC("[{\"version\":1}]"),
	DOC("{\"version\":1"),
	DOC("{\"version\":"),
	DOC("{\"version\""),
	DOC("{\"version"),
	DOC("\"version\":1}"),
	DOC("{\"version\":1}}"),
	DOC("{\"version\":1}{\"version\":1}"),
	DOC("{\"version\":1},"),
	DOC("{\"version\":1} x"),
	DOC("{\"version\":1}\0"),
	DOC("{\"version\":1]"),
	/* Commas and colons. */
	DOC("{\"version\":1,}"),
	DOC("{,\"version\":1}"),
	DOC("{\"version\" 1}"),
	DOC("{\"version\"::1}"),
	DOC("{\"version\"=1}"),
	DOC("{\"version\",1}"),
	/* Keys twice, also where an escape hides it, and keys that are none. */
	DOC("{\"version\":1,\"version\":1}"),
	DOC("{\"version\":1,\"\\u0076ersion\":1}"),
	DOC("{version:1}"),
	DOC("{'version':1}"),
	DOC("{1:1}"),
	DOC("{null:1}"),
	DOC("{\"version\\u0000\":1}"),
	DOC("{\"version\0\":1}"),
	DOC("{\"Version\":1}"),
	DOC("{\"version \":1}"),
	/* Remarks, and space that is none. */
	DOC("{\"version\":1/* */}"),
	DOC("{\"version\":1// \n}"),
	DOC("{\"version\":1# \n}"),
	DOC("\xef\xbb\xbf{\"version\":1}"),
	DOC("{\"version\":\f1}"),
	DOC("{\"version\":\v1}"),
	DOC("{\"version\":\xc2\xa0"
	    "1}"),
	DOC("{\"version\":\xe2\x80\xa8"
	    "1}"),
	DOC("{\"version\":\\n1}"),
	/* Numbers. */
	NUMBERED("01"),
	NUMBERED("+1"),
	NUMBERED("-01"),
	NUMBERED("1."),
	NUMBERED(".1"),
	NUMBERED("1.e0"),
	NUMBERED("1e"),
	NUMBERED("1e+"),
	NUMBERED("1.0"),
	NUMBERED("1e0"),
	NUMBERED("10E-1"),
	NUMBERED("0x1"),
	NUMBERED("1_0"),
	NUMBERED("1 0"),
	NUMBERED("1e400"),
	NUMBERED("99999999999999999999"),
	NUMBERED("-99999999999999999999"),
	NUMBERED("4294967297"),
	NUMBERED("18446744073709551617"),
	NUMBERED("NaN"),
	NUMBERED("Infinity"),
	NUMBERED("-Infinity"),
	NUMBERED("\xef\xbc\x91"),
	NUMBERED("\xd9\xa1"),
	/* Words. */
	NUMBERED("True"),
	NUMBERED("TRUE"),
	NUMBERED("nul"),
	NUMBERED("undefined"),
	NUMBERED("true"),
	NUMBERED("\"1\""),
	NUMBERED("[1]"),
	/* Texts. */
	VALUE("'x'"),
	VALUE("x"),
	VALUE("\"x"),
	VALUE("\"x\"\"y\""),
	TEXT("\n"),
	TEXT("\t"),
	TEXT("\x1f"),
	TEXT("a\0b"),
	TEXT("\\u0000"),
	TEXT("\\0"),
	TEXT("\\x41"),
	TEXT("\\a"),
	TEXT("\\'"),
	TEXT("\\U00e9"),
	TEXT("\\u00e"),
	TEXT("\\u00eg"),
	TEXT("\\u 0e9"),
	TEXT("\\u{e9}"),
	TEXT("\\\n"),
	TEXT("\\"),
	TEXT("\\ud800"),
	TEXT("\\udc00"),
	TEXT("\\ud800x"),
	TEXT("\\ud800\\n"),
	TEXT("\\ud800\\ud800"),
	TEXT("\\udc00\\ud800"),
	TEXT("\\ud800\\u0041"),
	/* Bytes that are no UTF-8. */
	TEXT("\x80"),
	TEXT("\xbf"),
	TEXT("\xc0\xaf"),
	TEXT("\xc1\xbf"),
	TEXT("\xc3"),
	TEXT("\xc3("),
	TEXT("\xe0\x80\xaf"),
	TEXT("\xe0\x9f\xbf"),
	TEXT("\xe2\x82"),
	TEXT("\xed\xa0\x80"),
	TEXT("\xed\xbf\xbf"),
	TEXT("\xf0\x80\x80\xaf"),
	TEXT("\xf0\x8f\xbf\xbf"),
	TEXT("\xf4\x90\x80\x80"),
	TEXT("\xf5\x80\x80\x80"),
	TEXT("\xf8\x88\x80\x80\x80"),
	TEXT("\xfe"),
	TEXT("\xff"),
	/* Other encodings of a good one. */
	DOC("{\0\"\0v\0\"\0:\0001\0}\0"),
	DOC("\0{\0\"\0v\0\"\0:\0001\0}"),
	DOC("\xff\xfe{\0}\0"),
	DOC("\xfe\xff\0{\0}"),
};

#endif

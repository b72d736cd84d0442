/* RFC 3339 times to seconds and back, without a clock. */
#include "policy/rfc3339.h"

#include <stdio.h>

static const int64_t year_10000 = 253402300800;

/* Days from 1970-01-01 in the proleptic Gregorian calendar; the year is
 * taken to begin in March, so that the leap day comes last. */
static int64_t
days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool
digits(struct slice text, size_t at, size_t n, uint64_t max, int64_t *out)
{
	uint64_t v;

	if (text.n < at + n ||
	    !slice_to_u64(slice_head(slice_from(text, at), n), max, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

static int64_t
month_days(int64_t y, int64_t m)
{
	if (m == 2)
		return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 29 : 28;
	return m == 4 || m == 6 || m == 9 || m == 11 ? 30 : 31;
}

static bool
parse_date(struct slice s, int64_t *days)
{
	int64_t y, m, d;

	if (!digits(s, 0, 4, 9999, &y) || !digits(s, 5, 2, 12, &m) ||
	    !digits(s, 8, 2, 31, &d) || s.p[4] != '-' || s.p[7] != '-')
		return false;
	if (y < 1970 || m < 1 || d < 1 || d > month_days(y, m))
		return false;
	*days = days_from_civil(y, m, d);
	return true;
}

/* "Z" or "+hh:mm"; the seconds to subtract. */
static bool
parse_offset(struct slice s, int64_t *offset_s)
{
	int64_t h, m;

	*offset_s = 0;
	if (slice_is_nocase(s, "z"))
		return true;
	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' ||
	    !digits(s, 1, 2, 23, &h) || !digits(s, 4, 2, 59, &m))
		return false;
	*offset_s = (h * 60 + m) * 60 * (s.p[0] == '-' ? -1 : 1);
	return true;
}

enum status
rfc3339_parse(struct slice text, int64_t *unix_s)
{
	int64_t days, h, m, s, offset_s, at;
	size_t end = 19;

	if (text.n < 20 || !parse_date(text, &days) ||
	    ascii_lower(text.p[10]) != 't' || !digits(text, 11, 2, 23, &h) ||
	    text.p[13] != ':' || !digits(text, 14, 2, 59, &m) ||
	    text.p[16] != ':' || !digits(text, 17, 2, 60, &s))
		return E_SYNTAX;
	if (text.p[end] == '.') {
		end++;
		while (end < text.n && ascii_is_digit(text.p[end]))
			end++;
		if (end == 20)
			return E_SYNTAX;
	}
	if (!parse_offset(slice_from(text, end), &offset_s))
		return E_SYNTAX;
	at = ((days * 24 + h) * 60 + m) * 60 + s - offset_s;
	if (at < 0 || at >= year_10000)
		return E_INVALID;
	*unix_s = at;
	return OK;
}

void
rfc3339_text(int64_t unix_s, char out[RFC3339_BYTES])
{
	int64_t z, era, doe, yoe, doy, mp, y, m, d, s;

	if (unix_s < 0)
		unix_s = 0;
	if (unix_s >= year_10000)
		unix_s = year_10000 - 1;
	s = unix_s % 86400;
	z = unix_s / 86400 + 719468;
	era = z / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d = doy - (153 * mp + 2) / 5 + 1;
	m = mp + (mp < 10 ? 3 : -9);
	y = yoe + era * 400 + (m <= 2);
	(void)snprintf(out, RFC3339_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ",
	    (unsigned)y % 10000, (unsigned)m % 100, (unsigned)d % 100,
	    (unsigned)(s / 3600) % 100, (unsigned)(s / 60 % 60),
	    (unsigned)(s % 60));
}

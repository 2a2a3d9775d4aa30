package conversation

import (
	"errors"
	"fmt"
	"time"
)

// Date is a day of the calendar, in some time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// errDate tells what a date looks like.
var errDate = errors.New("not a date such as 2026-11-22")

// DateOf returns the day on which a time is, in seconds since 1970.
func DateOf(seconds int64, zone *time.Location) Date {
	y, m, d := time.Unix(seconds, 0).In(zone).Date()
	return Date{y, m, d}
}

// ParseDate reads what String wrote.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%.20q is %w", text, errDate)
	}
	return DateOf(t.Unix(), time.UTC), nil
}

// String writes 2026-11-22.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// Long writes Sunday, 22 November 2026.
func (d Date) Long() string { return d.noon().Format("Monday, 2 January 2006") }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.noon().Weekday() }

// Add returns the day so many days later.
func (d Date) Add(days int) Date { return DateOf(d.noon().AddDate(0, 0, days).Unix(), time.UTC) }

// Before reports whether d is an earlier day.
func (d Date) Before(other Date) bool { return d.noon().Before(other.noon()) }

// IsZero reports whether it is no day.
func (d Date) IsZero() bool { return d == Date{} }

// noon is for reckoning with days, whatever the zone.
func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// bounds returns when the day begins and when the next one does, in seconds since 1970.
func (d Date) bounds(zone *time.Location) (from, to int64) {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone).Unix(), time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, zone).Unix()
}

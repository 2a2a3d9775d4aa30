package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"chatexport/internal/chat"
)

// Count writes a number with commas between thousands.
func Count[T ~int | ~int64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(digits[i])
	}
	return sign + b.String()
}

// StreamName is what tables call a stream: the id that is enough to name it, since a topic's names its community, too.
func StreamName(s chat.Stream) string { return cmp.Or(s.TopicID, s.GroupID) }

// Plural writes a count with its noun: "1 chunk", "2 batches".
func Plural[T ~int | ~int64](n T, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "ch"):
		noun += "e"
	}
	return Count(n) + " " + noun + "s"
}

// Bytes writes a size with a decimal unit.
func Bytes(n int64) string {
	const step = 1000
	if n < step {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/step, 0
	for units := "kMGTP"; value >= step && unit < len(units)-1; unit++ {
		value /= step
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTP"[unit])
}

// Seconds writes a duration in seconds with one decimal, or two below one second.
func Seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Table aligns rows in columns: those of left, where -1 is the last one, to the left, all others to the right. The last
// column is not padded.
func Table(rows [][]string, left ...int) string { return aligned(rows, "", left...) }

// aligned is Table with a mark in front of every cell but the first.
func aligned(rows [][]string, mark string, left ...int) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			cell = OneLine(cell)
			row[i] = cell
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString(mark + "  ")
			}
			if slices.Contains(left, i) || i == len(row)-1 && slices.Contains(left, -1) {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "+mark) + "\n")
	}
	return b.String()
}

// ShellQuote quotes a word for a POSIX shell where that is needed.
func ShellQuote(word string) string {
	plain := word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+", r)
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

package conversation_test

import (
	"fmt"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/conversation"

	"chatexport/internal/chat"
)

// large is an archive of one chunk of 100,000 messages within a month.
func large(b *testing.B) *scene {
	b.Helper()
	const n = 100_000
	s := build(b, 1)
	elements := make([]string, n)
	for i := range elements {
		elements[i] = said(chat.Seq(i+1), start+int64(i)*25, fmt.Sprintf("message %d %s", i, strings.Repeat("some words ", 12)))
	}
	s.chunk(n, elements...)
	s.Manifest(archive.StatusComplete)
	return s
}

func BenchmarkDay(b *testing.B) {
	s := large(b)
	q := conversation.Query{Date: date(b, "2024-01-12")}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			pageOf(b, s.open(conversation.Options{}), q)
		}
	})
	b.Run("again", func(b *testing.B) {
		c := s.open(conversation.Options{})
		for b.Loop() {
			pageOf(b, c, q)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	s := large(b)
	c := s.open(conversation.Options{})
	n := int64(0)
	for b.Loop() {
		done, err := c.Search(b.Context(), conversation.Wanted{Words: []string{"nowhere"}}, func(conversation.Hit) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		n += done.Messages
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}

package chatapi

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"chatexport/internal/chat"
)

func TestAnAnswerIsReadWholeWhateverLengthWasTold(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 20_000, maxAnswer} {
		want := strings.Repeat("x", size)
		for _, told := range []int64{-1, 0, 1, int64(size) - 1, int64(size), int64(size) + 1, 2 * int64(size), maxAnswer, maxAnswer + 1, math.MinInt64, math.MaxInt64} {
			got, err := readAnswer(strings.NewReader(want), told)
			if err != nil || string(got) != want {
				t.Errorf("%d bytes of which %d were told: %d bytes, %v", size, told, len(got), err)
			}
			if told == int64(size) && cap(got) > size+size/4+1024 {
				t.Errorf("%d bytes take %d bytes", size, cap(got))
			}
		}
	}
}

func TestAnAnswerEndsAtTheLimitWhateverLengthWasTold(t *testing.T) {
	t.Parallel()
	for _, told := range []int64{-1, 10, maxAnswer, maxAnswer + 1, math.MaxInt64} {
		body := strings.NewReader(strings.Repeat("x", maxAnswer+1000))
		if _, err := readAnswer(body, told); !errors.Is(err, chat.ErrMalformed) {
			t.Errorf("%d told: %v, want ErrMalformed", told, err)
		}
		if body.Len() != 999 {
			t.Errorf("%d told: %d bytes were left, want 999", told, body.Len())
		}
	}
	broken := io.MultiReader(strings.NewReader("xx"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if got, err := readAnswer(broken, 10); !errors.Is(err, io.ErrUnexpectedEOF) || got != nil {
		t.Errorf("a body that breaks: %q, %v", got, err)
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	page := bytes.Repeat([]byte("x"), 12_000) // a page of 20 text messages
	for name, told := range map[string]int64{"told": int64(len(page)), "not told": -1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readAnswer(bytes.NewReader(page), told); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"chatexport/internal/panics"
)

const (
	terminalPeriod = 100 * time.Millisecond // between two pictures of the progress on a terminal
	linePeriod     = 5 * time.Second        // between two lines where there is no terminal

	eraseLine = "\r\x1b[K"
)

// Console shows what goes on while a command works: lines, and on a terminal the progress below them. It is safe for
// concurrent use. A writer that fails is not worth ending the work for: its errors are ignored.
type Console struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	below    string // what stands below the lines of a terminal
}

// NewConsole shows on w.
func NewConsole(w io.Writer) *Console {
	c := &Console{w: w}
	if f, ok := w.(*os.File); ok {
		c.terminal = isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())
	}
	return c
}

// Line shows one line.
func (c *Console) Line(format string, args ...any) {
	_, _ = fmt.Fprintf(c, format+"\n", args...)
}

// Write shows whole lines, such as log lines.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.below == "" {
		return c.w.Write(p)
	}
	_, err := fmt.Fprintf(c.w, "%s%s%s", eraseLine, p, c.below)
	return len(p), err
}

// Follow shows how done grows to total until stop is called: all the time on a terminal, in a line every few seconds
// otherwise. A negative total is unknown. done must not use the console.
func (c *Console) Follow(title, noun string, total int64, done func() int64) (stop func()) {
	period := linePeriod
	if c.terminal {
		period = terminalPeriod
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := panics.Caught(func() error {
			ticker := time.NewTicker(period)
			defer ticker.Stop()
			for {
				select {
				case <-quit:
					return nil
				case <-ticker.C:
					c.show(progress(title, noun, done(), total))
				}
			}
		})
		if err != nil {
			c.Line("progress is not shown any more: %v", err)
		}
	}()
	return func() {
		close(quit)
		<-ended
		if c.terminal {
			c.show("")
		}
	}
}

func progress(title, noun string, done, total int64) string {
	if total < 0 {
		return fmt.Sprintf("%s: %s %s", title, Count(done), noun)
	}
	return fmt.Sprintf("%s: %s of %s %s", title, Count(done), Count(total), noun)
}

// show puts the progress in the place of what was shown before, on a terminal, or into a line of its own.
func (c *Console) show(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminal {
		c.below = text
		_, _ = fmt.Fprint(c.w, eraseLine+text)
		return
	}
	_, _ = fmt.Fprintln(c.w, text)
}

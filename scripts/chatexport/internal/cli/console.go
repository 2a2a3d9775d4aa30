package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"chatexport/internal/panics"
	"chatexport/scripts/internal/screen"
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
	width    func() int
}

// NewConsole shows on w.
func NewConsole(w io.Writer) *Console {
	if s, ok := screen.Of(w).(*screen.Screen); ok {
		return &Console{w: s.Terminal(), terminal: true, width: s.Width}
	}
	return &Console{w: w}
}

// Line shows one line.
func (c *Console) Line(format string, args ...any) {
	_, _ = io.WriteString(c, OneLine(fmt.Sprintf(format, args...))+"\n")
}

// Write shows whole lines, such as log lines.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := p
	if c.terminal {
		text = screen.Fit(p)
	}
	if c.below != "" {
		text = fmt.Appendf(nil, "%s%s%s", eraseLine, text, c.below)
	}
	_, err := c.w.Write(text)
	return len(p), err
}

// Follow shows how done grows to total until stop is called, as Watch does. A negative total is unknown.
func (c *Console) Follow(title, noun string, total int64, done func() int64) (stop func()) {
	return c.Watch(func() string { return progress(title, noun, done(), total) })
}

// Watch shows what picture returns until stop is called: all the time on a terminal, in a line every few seconds otherwise.
// picture must not use the console.
func (c *Console) Watch(picture func() string) (stop func()) {
	period := linePeriod
	if c.terminal {
		period = terminalPeriod
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := panics.Caught(func() error {
			if c.terminal { // at once, however short it is
				c.show(OneLine(picture()))
			}
			ticker := time.NewTicker(period)
			defer ticker.Stop()
			for {
				select {
				case <-quit:
					return nil
				case <-ticker.C:
					c.show(OneLine(picture()))
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
	return fmt.Sprintf("%s: %s of %s %s", title, Count(min(done, total)), Count(total), noun) // what is pulled twice is no more
}

// show puts the progress in the place of what was shown before, on a terminal, or into a line of its own.
func (c *Console) show(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminal {
		if runes := []rune(text); len(runes) >= c.width() {
			text = string(runes[:c.width()-1]) // a second line could not be erased
		}
		c.below = text
		_, _ = fmt.Fprint(c.w, eraseLine+text)
		return
	}
	_, _ = fmt.Fprintln(c.w, text)
}

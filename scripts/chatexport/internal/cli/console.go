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
	terminalPeriod = 100 * time.Millisecond // between two pictures of the line at the bottom of a terminal
	linePeriod     = 5 * time.Second        // between two lines where there is no terminal

	erase = "\r\x1b[K" // the line that the cursor is in
)

// Console shows what goes on while a command works: lines, and on a terminal one below them that says how far it is. It
// is safe for concurrent use. A writer that fails is not worth ending the work for: its errors are ignored.
type Console struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	bottom   string // the line below all others, on a terminal
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
	if c.bottom == "" {
		return c.w.Write(p)
	}
	if _, err := io.WriteString(c.w, erase+string(p)+c.bottom); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Follow shows how done grows to total until stop is called: on a terminal in the line at the bottom, otherwise in a
// line every few seconds. A negative total is unknown. done must not use the console.
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
					c.show(title, noun, done(), total)
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
		c.end()
	}
}

func (c *Console) show(title, noun string, done, total int64) {
	of := ""
	if total >= 0 {
		of = " of " + Count(total)
	}
	line := fmt.Sprintf("%s: %s%s %s", title, Count(done), of, noun)
	if !c.terminal {
		c.Line("%s", line)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bottom = line
	_, _ = io.WriteString(c.w, erase+line)
}

func (c *Console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bottom != "" {
		_, _ = io.WriteString(c.w, erase)
		c.bottom = ""
	}
}

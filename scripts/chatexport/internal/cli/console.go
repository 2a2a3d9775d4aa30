package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

const (
	barPeriod  = 100 * time.Millisecond // between two pictures of a bar
	linePeriod = 5 * time.Second        // between two lines where there is no terminal
	barWidth   = 30
)

// Console shows what goes on while a command works: lines, and below them a bar on a terminal. It is safe for
// concurrent use. A writer that fails is not worth ending the work for: its errors are ignored.
type Console struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // nil when none is shown
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
	if c.bar == nil {
		return c.w.Write(p)
	}
	_ = c.bar.Clear()
	n, err := c.w.Write(p)
	_ = c.bar.RenderBlank()
	return n, err
}

// Follow shows how done grows to total until stop is called: a bar on a terminal, a line every few seconds otherwise.
// A negative total is unknown. done must not use the console.
func (c *Console) Follow(title, noun string, total int64, done func() int64) (stop func()) {
	period := linePeriod
	if c.terminal {
		period = barPeriod
		c.begin(title, total)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if p := recover(); p != nil {
				c.Line("progress is not shown any more: %v", p)
			}
		}()
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				c.show(title, noun, done(), total)
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		c.end()
	}
}

func (c *Console) begin(title string, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(c.w), progressbar.OptionSetDescription(title),
		progressbar.OptionSetWidth(barWidth), progressbar.OptionShowCount(), progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetRenderBlankState(true), progressbar.OptionClearOnFinish())
}

func (c *Console) show(title, noun string, done, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		if done < total || total < 0 { // a bar that is full is over, and could not be cleared any more
			_ = c.bar.Set64(done)
		}
		return
	}
	of := ""
	if total >= 0 {
		of = " of " + Count(total)
	}
	_, _ = fmt.Fprintf(c.w, "%s: %s%s %s\n", title, Count(done), of, noun)
}

func (c *Console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		_ = c.bar.Clear()
		c.bar = nil
	}
}

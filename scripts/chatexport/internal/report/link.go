package report

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"chatexport/internal/folder"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
)

// link makes the names of streams links to their pages, where page has written some: relative to the report, so that both can
// be moved together. A report on the standard output is taken to end up in the working folder.
func (p *page) link(out, dir string) error {
	if dir == "" {
		return nil
	}
	f, err := folder.Open(dir)
	if err != nil {
		return fmt.Errorf("--pages: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only looked into
	from, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	to, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("--pages: %w", err)
	}
	way, err := filepath.Rel(from, to)
	if err != nil {
		return fmt.Errorf("--pages: no way to it from --out: %w", err)
	}
	for i := range p.Streams {
		d := &p.Streams[i]
		name := pages.FolderName(d.Stream.Stream) + "/index.html"
		switch _, err := f.Stat(name); {
		case err == nil:
			// A path of "a:b" would be taken for a scheme.
			d.pages = (&url.URL{Path: "./" + filepath.ToSlash(way) + "/" + name}).String()
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("--pages: %w", err)
		}
	}
	return nil
}

// Reading says how to get from the report to the messages.
func (p *page) Reading() string {
	command := "chatexport view"
	if p.dir != "" {
		command += " --dir " + cli.ShellQuote(p.dir)
	}
	text := "To read the messages: " + command
	for i := range p.Streams {
		if p.Streams[i].pages != "" {
			return "A stream whose name is a link can be read here. " + text
		}
	}
	return text
}

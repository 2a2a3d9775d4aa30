// Package view is the command that shows an archive to one person, in a browser.
//
// It owns the server: who is let in, which addresses there are, and what is sent. It listens on loopback only, serves nobody
// without the address that it prints, reads and never writes, and sends no file of a stranger in a form that could act. What the
// pages look like is package pages'; what they say is package conversation's.
package view

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"chatexport/internal/catalog"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	port   int
	zone   string
	names  string
	open   bool
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Show the archive in a browser",
		Long: `view serves the archive as pages to read, to you alone, until it is interrupted: all conversations, each day by day with
pictures, sounds, videos and files, what was edited, recalled, deleted or is missing, a search, and the proof of every message.

It prints an address. Whoever has it, on this machine, can read the archive as long as the command runs; nobody else can.
It listens on loopback only, has no scripts, and asks nobody but the archive, of which it changes nothing. Files that are looked at
are copied to a temporary folder, which is removed at the end. Ctrl-C ends it, with exit code 0.

` + target.NamesHelp + `

` + cli.ExitCodes,
		Example: `  chatexport view --dir chatexport-demo/chat-archive-1250000000
  chatexport view --tz Asia/Shanghai --names people.csv --open`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				return run(cmd.Context(), t, o, cmd.OutOrStdout())
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.IntVar(&o.port, "port", 0, "`port` to listen on (default: any that is free)")
	f.StringVar(&o.zone, "tz", "UTC", "time `zone` of days and times, such as Asia/Shanghai or +08:00; pages can change it")
	f.StringVar(&o.names, "names", "", "CSV `file` of people: id, name")
	f.BoolVar(&o.open, "open", false, "open the address in the browser")
	return cmd
}

func run(ctx context.Context, t *target.Target, o options, out io.Writer) (err error) {
	s, err := newServer(ctx, t, o)
	if err != nil {
		return err
	}
	defer func() { err = cli.Closed(err, os.RemoveAll(s.files.dir)) }()
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return cli.Usage(fmt.Errorf("--port: %w", err))
	}
	defer func() { _ = listener.Close() }() // serve has closed it, unless it never began
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("address of the listener: %w", err)
	}
	g := newGuard(port, s.handler(), http.HandlerFunc(s.enter))
	address := "http://127.0.0.1:" + port + enterPath + g.token
	if err := cli.Print(out, "showing "+cli.OneLine(t.Where)+"\nopen "+address+"\nCtrl-C ends it\n"); err != nil {
		return err
	}
	if o.open {
		if err := openBrowser(ctx, address); err != nil {
			return err
		}
	}
	return serve(ctx, listener, g)
}

func newServer(ctx context.Context, t *target.Target, o options) (*server, error) {
	zone, err := target.Zone(o.zone)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--tz: %w", err))
	}
	if err := cli.Between("--port", o.port, 0, 65535); err != nil {
		return nil, cli.Usage(err)
	}
	names, err := target.Names(o.names)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--names: %w", err))
	}
	p, err := pages.New()
	if err != nil {
		return nil, err
	}
	streams, err := catalog.Streams(ctx, t.Store)
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 {
		return nil, cli.Usage(fmt.Errorf("there is no archive in %s", t.Where))
	}
	dir, err := tempDir()
	if err != nil {
		return nil, fmt.Errorf("a folder for files: %w", err)
	}
	s := &server{
		store: t.Store, reader: conversation.NewReader(t.Store, conversation.Options{Names: names}), pages: p, files: newFiles(t.Store, dir),
		where: t.Where, zone: zone,
	}
	if t.COS == nil {
		s.source = " --dir " + cli.ShellQuote(t.Where)
	}
	return s, nil
}

// enter gives way to the first page. A redirection would still count as coming from wherever the address was clicked, and have no
// cookie.
func (s *server) enter(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url=/")
	_ = s.pages.Say(w, pages.Message{Frame: pages.Frame{Title: "chatexport", Style: stylePath}, Text: "The archive is open.", Back: "/"}) // who left needs none
}

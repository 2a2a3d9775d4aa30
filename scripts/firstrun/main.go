// Command firstrun is for the first hour against the real services. The documentation leaves open, or contradicts
// itself, how they behave in some points; the code is written to be right whatever they do, and the emulators prove
// that, but not what Tencent does. This command asks one question after the other and says what the answer means.
//
// It writes a few small objects below state/sweep/firstrun/, reads pages of one group, and fetches a few of its files,
// which it stores nowhere. What must be refused is tried without doing it. It changes nothing in Chat.
// scripts/firstrun.sh starts it, after the checks of `chatexport doctor`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"chatexport/internal/config"
	"chatexport/scripts/internal/screen"
	"chatexport/scripts/internal/variables"
)

// patience is enough for some dozens of calls; only the overload takes longer.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:], read, screen.Of(os.Stdout))
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2) // the flags' own package has said why
	case err != nil:
		_, _ = fmt.Fprintf(screen.Of(os.Stderr), "firstrun: %v\n", err) // nobody is left to tell that stderr is gone
		os.Exit(1)
	}
}

// read finds the variables, and tells what the owner of their file should know.
func read() (func(string) string, error) {
	for _, warning := range variables.Warnings("", os.Getenv) {
		_, _ = fmt.Fprintf(screen.Of(os.Stderr), "warning: %s\n", warning) // nobody is left to tell that stderr is gone
	}
	return variables.Read("", os.Getenv)
}

// errUsage is the end of a command line that cannot be read.
var errUsage = errors.New("usage")

// options are what to ask about.
type options struct {
	group      string // a group with messages; with files, recalled ones, and expired ones, it tells more
	community  string // a community with topics
	avchatroom string
	expired    string // URL of a file
	overload   bool
	list       bool // the questions instead of the answers
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("firstrun", flag.ContinueOnError)
	flags.StringVar(&o.group, "group", "", "`id` of a group whose history is read; best one with files, with recalled and with expired messages")
	flags.StringVar(&o.community, "community", "", "`id` of a community with topics")
	flags.StringVar(&o.avchatroom, "avchatroom", "", "`id` of an AVChatRoom")
	flags.StringVar(&o.expired, "expired-url", "", "`URL` of a file whose message has expired, from an archive")
	flags.BoolVar(&o.overload, "overload", false, "exceed the app's quota for two seconds, to see the code; other users of the app notice that")
	flags.BoolVar(&o.list, "list", false, "show the questions, and ask none")
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", errUsage, err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("what is %q? Groups are named by --group", flags.Arg(0))
	}
	return o, nil
}

func execute(ctx context.Context, args []string, read func() (func(string) string, error), out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.list {
		for n, question := range questions() {
			_, _ = fmt.Fprintf(out, "%2d. %s\n", n+1, question) // whoever reads it has gone
		}
		return nil
	}
	getenv, err := read()
	if err != nil {
		return err
	}
	c, err := config.Load(getenv)
	if err != nil {
		return err
	}
	credentials, err := config.LoadCredentials(getenv)
	if err != nil {
		return errors.New("TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY: set keys that may do what the role may, best the role's own")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := &report{out: out}
	if err := askBucket(ctx, r, c, credentials); err != nil {
		return err
	}
	if err := askChat(ctx, r, c, o); err != nil {
		return err
	}
	return r.verdict()
}

// grade says what an outcome means for the archive.
type grade string

// The grades of an outcome.
const (
	asBuilt grade = "as built" // the reading that the code takes for the likely one
	fine    grade = "fine"     // another reading, which the code is ready for
	look    grade = "LOOK"     // something that a person should know
	wrong   grade = "STOP"     // the archive would not be safe, or not complete
	unasked grade = "not asked"
)

// report collects the answers.
type report struct {
	out    io.Writer
	n      int
	counts map[grade]int
}

// answer says one outcome and what it means.
func (r *report) answer(g grade, question, seen, means string) {
	if r.counts == nil {
		r.counts = make(map[grade]int)
	}
	r.n++
	r.counts[g]++
	_, _ = fmt.Fprintf(r.out, "%2d. %s\n    seen:  %s\n    means: [%s] %s\n", r.n, question, seen, g, means) // the verdict is the exit code
}

func (r *report) verdict() error {
	_, _ = fmt.Fprintf(r.out, "\n%d as built, %d fine, %d to look at, %d to stop at, %d not asked\n",
		r.counts[asBuilt], r.counts[fine], r.counts[look], r.counts[wrong], r.counts[unasked])
	if r.counts[wrong] > 0 {
		return errors.New("do not rely on the archive before what says STOP is understood")
	}
	return nil
}

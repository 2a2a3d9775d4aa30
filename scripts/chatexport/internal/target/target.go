// Package target is what a command works on: the archive, the app and the function that the variables, a .env file or
// a flag name.
//
// It owns the flags that all commands have for that, and the composition of the adapters. It must never know what a
// command does, or let a secret into an error.
package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"chatexport/internal/catalog"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/folder"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/objstore/dirstore"
	"chatexport/internal/retry"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/demo"
	"chatexport/scripts/internal/services"
	"chatexport/scripts/internal/variables"
)

// Need says what a command cannot do without.
type Need uint8

// The needs, to be combined.
const (
	Archive Need = 1 << iota // the store
	Chat                     // the app: SDKAppID and key
)

// Flags are what every command has to name its target.
type Flags struct {
	EnvFile string
	Dir     string
	Demo    string
}

// Register adds the flags.
func (f *Flags) Register(flags *pflag.FlagSet) {
	f.RegisterServices(flags)
	flags.StringVar(&f.Dir, "dir", "", "local `folder` of an archive, such as export --out or the demo writes, instead of COS")
}

// RegisterServices adds the flags of a command that is about the services themselves.
func (f *Flags) RegisterServices(flags *pflag.FlagSet) {
	flags.StringVar(&f.EnvFile, "env-file", "", "`file` of variables, beside those of the environment (default: .env if there is one)")
	flags.StringVar(&f.Demo, "demo", "", "`folder` of a demo: its emulated services are started, and no variable is needed")
}

// Store is what readers take: small objects whole, and files piece by piece.
type Store interface {
	catalog.Store
	// Open reads an object piece by piece; at its end the reader tells if the bytes are not those that were written.
	Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error)
}

// Target is what the flags and variables name.
type Target struct {
	Config config.Config  // variables that the command does not need may be placeholders
	Where  string         // the archive, for people
	Store  Store          // nil without the need
	Engine objstore.Store // the same, for the engine, which writes
	COS    *cosstore.Store
	Getenv func(string) string

	chat  bool // the app is configured
	stops []func() error
}

// Open reads variables and flags, and makes what is needed. The error is a *cli.ExitError.
func (f *Flags) Open(ctx context.Context, getenv func(string) string, need Need) (t *Target, err error) {
	t = &Target{}
	defer func() {
		if err != nil {
			err = cli.Usage(errors.Join(err, t.Close()))
		}
	}()
	if err = f.openVariables(ctx, t, getenv); err != nil {
		if f.Demo != "" || f.EnvFile != "" || need&Chat != 0 || need&Archive != 0 && f.Dir == "" {
			return t, err
		}
		t.Getenv = getenv // a file .env that cannot be read is no concern of a command that needs no variable
	}
	t.chat = t.Getenv("CHAT_SDKAPPID") != "" || t.Getenv("CHAT_SECRET_KEY") != ""
	if t.Config, err = config.Load(f.relaxed(t, need)); err != nil {
		return t, err
	}
	if !t.chat {
		t.Config.ChatSDKAppID = 0
	}
	if need&Archive != 0 {
		err = t.openStore(f)
	}
	return t, err
}

// With opens the target for a command's work, and closes it. A failure of the work that has no exit code yet is that of
// a folder with what no archive has in it, a service's, or the interruption's. The error is a *cli.ExitError.
func (f *Flags) With(ctx context.Context, getenv func(string) string, need Need, work func(*Target) error) error {
	t, err := f.Open(ctx, getenv, need)
	if err != nil {
		return err
	}
	err = work(t)
	_, ended := errors.AsType[*cli.ExitError](err)
	if !ended && (errors.Is(err, folder.ErrNotPlain) || errors.Is(err, objstore.ErrTooLarge)) {
		err = cli.Wrong(err) // with the archive: no service will mend it
	}
	err = cli.Failed(ctx, err)
	return cli.Closed(err, t.Close())
}

// OpenVariables reads no more than the variables, for a command that judges them itself. The error is a *cli.ExitError.
func (f *Flags) OpenVariables(ctx context.Context, getenv func(string) string) (*Target, error) {
	t := &Target{}
	if err := f.openVariables(ctx, t, getenv); err != nil {
		return nil, cli.Usage(errors.Join(err, t.Close()))
	}
	return t, nil
}

func (f *Flags) openVariables(ctx context.Context, t *Target, getenv func(string) string) (err error) {
	t.Getenv, err = f.variables(ctx, t, getenv)
	return err
}

// variables returns a getenv over the environment and the file. A demo's own variables hide all others.
func (f *Flags) variables(ctx context.Context, t *Target, getenv func(string) string) (func(string) string, error) {
	if f.Demo != "" {
		env, stop, err := demo.Open(ctx, f.Demo)
		if err != nil {
			return nil, fmt.Errorf("--demo: %w", err)
		}
		t.stops = append(t.stops, stop)
		return func(name string) string { return env[name] }, nil
	}
	return variables.Read(f.EnvFile, getenv)
}

// relaxed stands in for what the command does not need, so that an auditor need not have the app's key, and a folder
// needs no bucket.
func (f *Flags) relaxed(t *Target, need Need) func(string) string {
	placeholders := map[string]string{}
	if need&Chat == 0 && !t.chat {
		placeholders["CHAT_SDKAPPID"], placeholders["CHAT_SECRET_KEY"] = "1", "none"
	}
	if need&Archive == 0 || f.Dir != "" {
		placeholders["COS_BUCKET"], placeholders["COS_REGION"] = "none-1250000000", "ap-none"
	}
	return func(name string) string { return cmp.Or(t.Getenv(name), placeholders[name]) }
}

func (t *Target) openStore(f *Flags) error {
	if f.Dir != "" {
		store, err := dirstore.Open(filepath.Clean(f.Dir))
		if err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
		t.useDir(store)
		return nil
	}
	credentials, err := config.LoadCredentials(t.Getenv)
	if err != nil {
		return err
	}
	c := t.Config
	store, err := services.Bucket(c, credentials)
	if err != nil {
		return err
	}
	t.Store, t.Engine, t.COS, t.Where = store, store, store, "cos://"+c.COSBucket+"/"+c.COSPrefix
	t.stops = append(t.stops, func() error { store.CloseIdleConnections(); return nil })
	return nil
}

func (t *Target) useDir(store *dirstore.Store) {
	t.Store, t.Engine, t.COS, t.Where = store, store, nil, store.Dir()
	t.stops = append(t.stops, store.Close)
}

// WriteTo makes a folder the archive, for a command that writes one.
func (t *Target) WriteTo(dir string) error {
	store, err := dirstore.Create(filepath.Clean(dir))
	if err != nil {
		return cli.Usage(err)
	}
	t.useDir(store)
	return nil
}

// Chat returns a client of the app.
func (t *Target) Chat() (*chatapi.Client, error) {
	api := services.Chat(t.Config)
	api.Concurrency = t.Config.ChatConcurrency
	client, err := chatapi.New(api)
	if err != nil {
		return nil, cli.Usage(err)
	}
	t.stops = append(t.stops, func() error { client.CloseIdleConnections(); return nil })
	return client, nil
}

// Fetcher returns what fetches files as the function does.
func (t *Target) Fetcher(client *chatapi.Client, caller *retry.Caller) *fetch.Fetcher {
	f := services.Files(t.Config, client, caller)
	t.stops = append(t.stops, func() error { f.CloseIdleConnections(); return nil })
	return f
}

// Close ends what was started.
func (t *Target) Close() error {
	var failures []error
	for _, stop := range slices.Backward(t.stops) {
		failures = append(failures, stop())
	}
	t.stops = nil
	return errors.Join(failures...)
}

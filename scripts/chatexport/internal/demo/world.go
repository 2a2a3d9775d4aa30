package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/emulated"
)

// The emulated function.
const (
	functionName = "chatexport"
	namespace    = "default"
	version      = "$LATEST"
)

// world is the function's emulated surroundings, and the bucket's folder, for looking at the archive.
type world struct {
	*emulated.Services
	store *dirstore.Store
}

// newWorld starts the emulators and fills the groups, the files with the address of their host. The archive is the one that
// the folder holds.
func newWorld(ctx context.Context, o options, c content, files string, env map[string]string, onCall func(chatemu.Call)) (*world, error) {
	services, err := emulated.Start(ctx, env, emulated.Options{
		Folder: o.out, Latency: o.latency, Cloud: o.latency, Chat: chatemu.Options{QPS: o.qps, OnCall: onCall},
		Files: files, Fill: func(app *chatemu.Server, host *mediaemu.Server) error { return fill(app, host, c) },
		Functions: []cloudemu.Function{{Namespace: namespace, Name: functionName, Qualifier: version}},
	})
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" && op.Addr.String() == files {
		return nil, fmt.Errorf("messages of this folder have the address %s of their files, where something else listens now; end that, or choose another --out: %w", files, err)
	}
	if err != nil {
		return nil, err
	}
	store, err := dirstore.Open(o.archive())
	if err != nil {
		return nil, errors.Join(err, services.Close())
	}
	return &world{services, store}, nil
}

func (w *world) close() error { return errors.Join(w.store.Close(), w.Close()) }

// newEnv returns the function's variables but for the endpoints, with keys that are good for this run only. The error
// names flags.
func newEnv(o options) (map[string]string, error) {
	env := emulated.Env()
	env["CHAT_QPS"], env["EXPORT_LOOK"] = strconv.Itoa(o.qps), "off"
	if o.span != 0 {
		env["EXPORT_SPAN"] = strconv.FormatInt(o.span, 10)
	}
	if o.chunkBytes != 0 {
		env["EXPORT_CHUNK_BYTES"] = strconv.FormatInt(o.chunkBytes, 10)
	}
	_, err := config.Load(func(name string) string { return env[name] })
	return env, inFlags(err)
}

// inFlags says the problems of the function's configuration in the words of the command line.
func inFlags(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems []error
		for _, e := range joined.Unwrap() {
			problems = append(problems, inFlags(e))
		}
		return errors.Join(problems...)
	}
	problem, ok := errors.AsType[*config.Error](err)
	if !ok {
		return err
	}
	flags := map[string]string{"CHAT_QPS": "--qps", "EXPORT_SPAN": "--span", "EXPORT_CHUNK_BYTES": "--chunk-bytes"}
	if flag, ok := flags[problem.Variable]; ok {
		return fmt.Errorf("%s %s", flag, problem.Problem)
	}
	return err
}

// fill makes the groups. Everything about them follows from the content, so that the archive of an earlier start still
// is this app's.
func fill(s *chatemu.Server, host *mediaemu.Server, c content) error {
	if err := c.attach(host); err != nil {
		return err
	}
	c.planChanges()
	created := c.groups[0].messages[0].Time
	for _, g := range c.groups {
		kind := "Public"
		if g.stream.TopicID != "" {
			kind = "Community"
		}
		if err := s.AddGroup(chatemu.Group{ID: g.stream.GroupID, Name: g.stream.GroupID, Type: kind, CreateTime: created}); err != nil {
			return err
		}
		if g.stream.TopicID != "" {
			if err := s.AddTopic(chatemu.Topic{GroupID: g.stream.GroupID, ID: g.stream.TopicID, Name: "help"}); err != nil {
				return err
			}
		}
		if err := s.Append(g.stream, g.messages...); err != nil {
			return err
		}
	}
	return nil
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"chatexport/internal/folder"
)

// fastQPS is the quota of a demo that is only looked at: nobody wants to wait for an emulator.
const fastQPS = 200

// ErrNoDemo means that a folder is not one of a demo.
var ErrNoDemo = errors.New("is not the folder of a demo")

// Open starts the emulated services of an earlier demo's folder, for commands that look after its archive. It returns
// the variables that name them; closeDemo ends them. As long as they run no other demo can have the folder.
func Open(ctx context.Context, path string) (env map[string]string, closeDemo func() error, err error) {
	found, err := look(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s %w; make one with: chatexport demo --out %s", path, ErrNoDemo, path)
	}
	if err != nil {
		return nil, nil, err
	}
	o := options{messages: found.Messages, groups: found.Dealt, out: path, qps: fastQPS, span: defaultSpan, timeLimit: defaultTimeLimit}
	c, err := keptContent(path, found, o)
	if err != nil {
		return nil, nil, err
	}
	if !recordOf(c).same(found) {
		return nil, nil, fmt.Errorf("%s was filled from %s by another version, which kept no messages there; make it again", path, found.Source)
	}
	_, found, unlock, err := openFolder(ctx, path, c)
	if err != nil {
		return nil, nil, err
	}
	if env, err = newEnv(o); err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	delete(env, "EXPORT_LOOK") // as a function has it
	env["SCF_FUNCTIONNAME"], env["CHAT_RETENTION_DAYS"] = functionName, retention(c)
	w, err := newWorld(ctx, o, c, found.Files, env, nil)
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return env, func() error { return errors.Join(w.close(), unlock()) }, nil
}

// look reads what a folder says of itself, and makes nothing.
func look(path string) (_ record, err error) {
	dir, err := folder.Open(path)
	if err != nil {
		return record{}, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return readRecord(dir)
}

// retention is long enough for the emulated messages, which are years old: the emulated service loses none.
func retention(c content) string {
	const day = 24 * time.Hour
	oldest := c.groups[0].messages[0].Time
	return fmt.Sprint(min(3650, int64(time.Since(time.Unix(oldest, 0))/day)+30))
}

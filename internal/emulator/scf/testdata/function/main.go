// Command function is a function that does what its event says, for the tests of package scfemu.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"
)

type event struct {
	Do     string
	Say    string
	Millis int
}

type report struct {
	Environment map[string]string
	Context     *functioncontext.FunctionContext
	Deadline    time.Time
	Process     []string
	Folder      string
	Count       int
}

type handler struct {
	process []string // environment of the process before the first invocation
	count   int
	kept    *os.File
}

func main() {
	cloudfunction.StartHandler(&handler{process: os.Environ()})
}

func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	h.count++
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	if e.Say != "" {
		fmt.Println(e.Say)
	}
	switch e.Do {
	case "sleep": // without a look at ctx: only the platform ends it
		time.Sleep(time.Duration(e.Millis) * time.Millisecond)
	case "fail":
		return nil, errors.New("told to fail")
	case "fail once":
		mark := os.Getenv("MARK")
		if _, err := os.Stat(mark); err != nil {
			return nil, errors.Join(errors.New("failed for the first time"), os.WriteFile(mark, nil, 0o600))
		}
	case "panic":
		panic("told to panic")
	case "panic elsewhere":
		go panic("told to panic elsewhere")
		select {}
	case "exit":
		os.Exit(3)
	case "spool": // leaves a file with a name, and one that is open and has none
		if err := os.WriteFile(filepath.Join(os.TempDir(), "named"), make([]byte, 1000), 0o600); err != nil {
			return nil, err
		}
		file, err := os.CreateTemp("", "")
		if err == nil {
			h.kept = file
			_, err = file.Write(make([]byte, 2000))
		}
		if err := errors.Join(err, os.Remove(file.Name())); err != nil {
			return nil, err
		}
	case "let go":
		if err := errors.Join(h.kept.Close(), os.Remove(filepath.Join(os.TempDir(), "named"))); err != nil {
			return nil, err
		}
	case "large":
		return make([]byte, 6<<20+1), nil
	}
	fc, _ := functioncontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return json.Marshal(report{Environment: fc.Environment, Context: fc, Deadline: deadline, Process: h.process, Folder: folder, Count: h.count})
}

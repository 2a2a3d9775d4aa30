package scfemu

import (
	"cmp"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"time"
)

// Limits of the platform (SCF documentation, 583/11637).
const (
	maxEnvironmentBytes = 4 << 10
	maxResponseBytes    = 6 << 20
)

// Config says which function runs, and how. Only Binary is required.
type Config struct {
	Binary string // path of the built function

	// Environment is the configuration in serverless.yml. As on the platform it reaches the function inside each
	// invocation only, has at most 4 KB, and no names of the platform's own.
	Environment map[string]string
	// Credentials, asked for each invocation, are those of the execution role. Nil means a function without a role.
	Credentials func() Credentials
	// ProcessEnvironment is given to the process itself, beside what the platform gives. It is for GOCOVERDIR and the
	// like; nothing of this process's own environment is passed on.
	ProcessEnvironment []string
	// Prepare, if set, may change how a process is started: its user, its folder, its environment.
	Prepare func(*exec.Cmd)

	Function  string        // default chatexport
	Version   string        // default $LATEST
	Namespace string        // default default
	Region    string        // default ap-guangzhou
	MemoryMB  int           // default 128; the function is told, but not held to it
	TimeLimit time.Duration // default 1 minute; the platform has 1 to 900 s, tests may have less
	InitLimit time.Duration // until the process answers; default 10 s
	Instances int           // most processes at a time, default 1

	Freeze  bool // stop the process between invocations, as the platform may
	MaxUses int  // replace a process after so many invocations; 0 means never
	// ZeroDeadline leaves the deadline out of the invocations: the library then makes it 1970.
	ZeroDeadline bool
	// Skew is added to the deadline of the invocations, as a wrong clock does. The platform kills when it is due.
	Skew time.Duration
	// NoTimeLimit leaves the time limit out of the invocations.
	NoTimeLimit bool

	// Fault, if set, decides what goes wrong with an invocation that is about to begin. It may be called concurrently.
	Fault func(Invocation) Fault
	// Observe, if set, is told of each invocation that ended. It may be called concurrently.
	Observe func(Invocation)
}

// Credentials are temporary keys of a role.
type Credentials struct{ SecretID, SecretKey, Token string }

// Fault is what goes wrong with one invocation. The zero value is nothing.
type Fault struct {
	KillAfter time.Duration // kill the process so long after the invocation began
	TimeLimit time.Duration // another time limit, of which the function is told
	// LoseAnswer lets the function finish and then treats the invocation as failed (500): the event comes again although
	// it was served.
	LoseAnswer bool
}

// Status codes of the platform (SCF documentation, status codes).
const (
	StatusOK               = 200
	StatusResponseTooLarge = 407
	StatusUserError        = 430 // the handler returned an error or panicked
	StatusTimeout          = 433 // killed at the time limit
	StatusExited           = 439 // the process ended by itself, or was killed
	StatusInit             = 446 // the process did not answer in time
	StatusPlatform         = 500
)

func (c Config) withDefaults() Config {
	c.Function = cmp.Or(c.Function, "chatexport")
	c.Version = cmp.Or(c.Version, "$LATEST")
	c.Namespace = cmp.Or(c.Namespace, "default")
	c.Region = cmp.Or(c.Region, "ap-guangzhou")
	c.MemoryMB = cmp.Or(c.MemoryMB, 128)
	c.TimeLimit = cmp.Or(c.TimeLimit, time.Minute)
	c.InitLimit = cmp.Or(c.InitLimit, 10*time.Second)
	c.Instances = max(1, c.Instances)
	c.Environment = maps.Clone(c.Environment)
	return c
}

func checkEnvironment(environment map[string]string) error {
	total := 0
	for name, value := range environment {
		total += len(name) + len(value)
		for _, reserved := range []string{"SCF_", "QCLOUD_", "TENCENTCLOUD_"} {
			if strings.HasPrefix(name, reserved) {
				return fmt.Errorf("the variable %s has a prefix that is reserved for the platform", name)
			}
		}
	}
	if total > maxEnvironmentBytes {
		return fmt.Errorf("the environment has %d bytes, at most %d are allowed", total, maxEnvironmentBytes)
	}
	return nil
}

// Command toolkit deploys serverless.yml through the code that Tencent's component runs (npm package
// tencent-component-toolkit). It needs node and npm, and, unless --modules names a folder that has the package, npm's
// registry. What is installed is what package-lock.json names, by hash, and runs no script of its own.
//
//	go run ./scripts/toolkit           against a stand-in of the cloud API on loopback, which judges every request by the
//	                                   documented limits
//	go run ./scripts/toolkit --deploy  for real: what scripts/deploy.sh does where there is no Serverless command line
//
// What the stand-in cannot show: the check that the platform does before the component of the command line runs, and which
// version of the component the platform uses.
package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"chatexport/scripts/internal/scfstandin"
	"chatexport/scripts/internal/serverless"
)

// parts are copied to where they run.
//
//go:embed deploy.js package.json package-lock.json .npmrc
var parts embed.FS

func main() {
	modules := flag.String("modules", "", "folder whose node_modules has the package; without it, npm installs it into a temporary one")
	asked := flag.Bool("deploy", false, "deploy dist/chatexport.zip to where the variables say, with the keys of the deploying account")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if *asked {
		err = deploy(ctx, *modules, os.Getenv, os.Stdout)
	} else {
		err = try(ctx, *modules, os.Stdout)
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "toolkit: %v\n", err) // nobody is left to tell that stderr is gone
		os.Exit(1)
	}
}

// try deploys to the stand-in.
func try(ctx context.Context, modules string, out io.Writer) error {
	raw, err := os.ReadFile("serverless.yml")
	if err != nil {
		return fmt.Errorf("start it in the project's folder: %w", err)
	}
	folder, err := prepare(ctx, modules)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	api := &scfstandin.Server{}
	server := httptest.NewServer(api)
	defer server.Close()
	d := &deployer{folder: folder, url: server.URL, api: api, out: out}

	plain, err := serverless.Parse(raw, variablesOf)
	if err != nil {
		return err
	}
	everything, err := serverless.Parse(serverless.SwitchOn(raw), variablesOf)
	if err != nil {
		return err
	}
	if err := d.deploy(ctx, "first deployment", plain, "CreateFunction"); err != nil {
		return err
	}
	// A timer that is replaced may miss a tick that is due just then.
	if err := d.deploy(ctx, "the same once more", plain, "UpdateFunctionCode", "!CreateTrigger", "!DeleteTrigger"); err != nil {
		return err
	}
	return d.deploy(ctx, "everything switched on", everything, "CreateTrigger", "!DeleteTrigger")
}

// variablesOf is an operator's environment.
func variablesOf(name string) string {
	return map[string]string{
		"CHAT_SDKAPPID": "1400000000", "CHAT_SECRET_KEY": strings.Repeat("0123456789abcdef", 4),
		"COS_BUCKET": "archive-1250000000", "COS_REGION": "ap-guangzhou", "CHATEXPORT_ROLE": "chatexport",
	}[name]
}

// prepare makes a temporary folder in which deploy.js runs.
func prepare(ctx context.Context, modules string) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "toolkit-"); err != nil {
		return "", err
	}
	if err = install(ctx, folder, modules); err != nil {
		_ = os.RemoveAll(folder)
	}
	return folder, err
}

func install(ctx context.Context, folder, modules string) error {
	if err := os.CopyFS(folder, parts); err != nil {
		return err
	}
	if modules != "" {
		path, err := filepath.Abs(filepath.Join(modules, "node_modules"))
		if err != nil {
			return err
		}
		return os.Symlink(path, filepath.Join(folder, "node_modules"))
	}
	// No package's own scripts are run.
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)
	if output, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("install what package-lock.json names: %w\n%s", err, output)
	}
	return nil
}

// deployer deploys with the toolkit and looks at what the API was asked.
type deployer struct {
	folder, url string
	api         *scfstandin.Server
	out         io.Writer
	seen        int
}

// deploy fails when a request was refused, or a wanted action (or, with !, an unwanted one) did not (or did) happen.
func (d *deployer) deploy(ctx context.Context, title string, f serverless.File, actions ...string) error {
	if err := f.Check(); err != nil {
		return err
	}
	var output bytes.Buffer
	err := send(ctx, d.folder, f, sample(), &output, append(os.Environ(),
		"STANDIN="+d.url, "TENCENTCLOUD_SECRETID=AKIDstandin", "TENCENTCLOUD_SECRETKEY=standin", "TENCENTCLOUD_SESSIONTOKEN=standin"))
	calls := d.api.Calls()[d.seen:]
	d.seen += len(calls)
	_, _ = fmt.Fprintf(d.out, "%s: %d requests\n", title, len(calls)) // the verdict is the exit code
	problems := []error{}
	count := make(map[string]int)
	for _, c := range calls {
		_, _ = fmt.Fprintln(d.out, strings.TrimRight(fmt.Sprintf("  %-28s %s %s", c.Action, brief(c), c.Code), " "))
		count[c.Action]++
		// Whether there is a function, or an alias, is asked before it is made or done without.
		if asked := c.Action == "GetFunction" || c.Action == "GetAlias"; c.Code != "" && (!asked || !strings.HasPrefix(c.Code, "ResourceNotFound.")) {
			problems = append(problems, fmt.Errorf("%s: %s was refused: %s", title, c.Action, c.Code))
		}
	}
	for _, action := range actions {
		name, unwanted := strings.CutPrefix(action, "!")
		if (count[name] > 0) == unwanted {
			problems = append(problems, fmt.Errorf("%s: %d x %s", title, count[name], name))
		}
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w\n%s", title, err, output.Bytes()))
	}
	return errors.Join(append(problems, d.compare(f))...)
}

// compare looks for every trigger of the file as it was wanted.
func (d *deployer) compare(f serverless.File) error {
	triggers := d.api.Triggers(f.Inputs.Name)
	var problems []error
	want := func(name string, enable bool, argument string) {
		t, ok := triggers[name]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("trigger %s was not created", name))
		case (t["Enable"] == 1) != enable:
			problems = append(problems, fmt.Errorf("trigger %s: open is %v", name, t["Enable"]))
		case t["CustomArgument"] != argument:
			problems = append(problems, fmt.Errorf("trigger %s: another argument: %v", name, t["CustomArgument"]))
		}
	}
	for _, e := range f.Inputs.Events {
		switch {
		case e.Timer != nil:
			want(e.Timer.Parameters.Name, *e.Timer.Parameters.Enable, e.Timer.Parameters.Argument)
		case e.CMQ != nil:
			want(e.CMQ.Parameters.Name, *e.CMQ.Parameters.Enable, "")
		case e.CKafka != nil:
			want(e.CKafka.Parameters.Name, *e.CKafka.Parameters.Enable, "")
		}
	}
	if len(triggers) != len(f.Inputs.Events) {
		problems = append(problems, fmt.Errorf("%d triggers, want %d", len(triggers), len(f.Inputs.Events)))
	}
	return errors.Join(problems...)
}

// brief shows a request's parameters without the variables' values.
func brief(c scfstandin.Call) string {
	var parts []string
	for _, name := range []string{"TriggerName", "TriggerDesc", "Enable", "CustomArgument", "MemorySize", "Timeout", "Role"} {
		if v, ok := c.Params[name]; ok {
			parts = append(parts, fmt.Sprintf("%s=%v", name, v))
		}
	}
	return strings.Join(parts, " ")
}

package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/requeue"
)

// holder has a secret in a field that fmt may look at, but call no method of.
type holder struct{ hidden config.Secret }

// Whatever is given to a log, an error or an encoder, the secrets in it are not shown.
func TestSecret_IsShownByNothingThatHoldsIt(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	s := config.NewSecret(secret)
	key := config.Credentials{SecretID: s, SecretKey: s, Token: s}
	store, err := cosstore.New(cosstore.Config{Bucket: "archive-1250000000", Region: "ap-guangzhou", Credentials: key})
	if err != nil {
		t.Fatal(err)
	}
	app := chatapi.Config{SDKAppID: 1, SecretKey: s, BaseURL: "https://localhost"}
	client, err := chatapi.New(app)
	if err != nil {
		t.Fatal(err)
	}
	next := requeue.Config{Credentials: key}
	for _, value := range []any{
		s,
		holder{s},
		key,
		config.Config{ChatSecretKey: s},
		app,
		cosstore.Config{Credentials: key},
		next,
		*store, *client, *requeue.New(next),
	} {
		var shown bytes.Buffer
		logger := zerolog.New(&shown)
		logger.Info().Interface("value", value).Any("pointer", &value).Msg("")
		encoded, _ := json.Marshal([]any{value, map[config.Secret]int{s: 1}}) // a function cannot be encoded
		shown.Write(encoded)
		verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"}
		if _, ok := value.(cosstore.Store); ok {
			verbs = verbs[:3] // fmt explains a verb that does not fit by all that is behind a pointer, the SDK's copy here
		}
		for _, verb := range verbs {
			fmt.Fprintf(&shown, verb, value)
			fmt.Fprintf(&shown, verb, &value)
		}
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if strings.Contains(shown.String(), form) {
				t.Errorf("%T shows its secret: %s", value, shown.String())
			}
		}
	}
	if s.Reveal() != secret {
		t.Error("Reveal does not return the value")
	}
}

// What is called a secret is one, wherever it is held.
func TestSecret_IsHeldAsOneEverywhere(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)secret|password|token$`)
	files := 0
	must(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "emulator": // emulators have made-up ones
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		must(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			held, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range held.Fields.List {
				if !slices.ContainsFunc(field.Names, func(name *ast.Ident) bool { return secret.MatchString(name.Name) }) {
					continue
				}
				if kind := string(source[field.Type.Pos()-1 : field.Type.End()-1]); kind == "string" || kind == "[]byte" {
					t.Errorf("%s: %s is a %s, want config.Secret", path, field.Names[0].Name, kind)
				}
			}
			return true
		})
		return nil
	}))
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package resume

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"chatexport/internal/event"
	"chatexport/scripts/chatexport/internal/cli"
)

// maxFile bounds what is read of a file of events.
const maxFile = 256 << 20

// fromFile reads the tasks of dead letters and rejected events.
func fromFile(path string, in io.Reader, r *result) (tasks []event.Task, err error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("read --from: %w", err))
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	switch {
	case err != nil:
		return nil, cli.Usage(fmt.Errorf("read --from: %w", err))
	case len(content) > maxFile:
		return nil, cli.Usage(fmt.Errorf("--from %s is larger than %s", path, cli.Bytes(maxFile)))
	}
	all := letters(content)
	if len(all) == 0 {
		return nil, cli.Usage(fmt.Errorf("--from %s holds no event", path))
	}
	seen := map[string]bool{}
	for i, letter := range all {
		e := event.Decode(unwrap(letter))
		for _, reject := range e.Rejected {
			r.NotUnderstood = append(r.NotUnderstood, refusal{N: i + 1, Reason: reject.Reason.Error()})
		}
		for _, task := range e.Tasks {
			task.Attempt = nil // a person gives it another chance
			if err := readable(task); err != nil {
				r.NotUnderstood = append(r.NotUnderstood, refusal{N: i + 1, Reason: err.Error()})
				continue
			}
			key, err := task.Encode()
			if err != nil {
				r.NotUnderstood = append(r.NotUnderstood, refusal{N: i + 1, Reason: err.Error()})
				continue
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				tasks = append(tasks, task)
			}
		}
	}
	return tasks, nil
}

// letters takes a file apart: JSON values one after the other, arrays of them, and bare group ids, one a line. Broken
// JSON is one letter up to the next line that begins a value, so that no bracket of it is taken for a group.
func letters(content []byte) [][]byte {
	var found [][]byte
	for {
		content = bytes.TrimLeft(content, " \t\r\n")
		if len(content) == 0 {
			return found
		}
		if strings.IndexByte(`{["`, content[0]) < 0 {
			line, rest, _ := bytes.Cut(content, []byte("\n"))
			found, content = append(found, bytes.TrimSpace(line)), rest
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			size := brokenSize(content)
			found, content = append(found, content[:size]), content[size:]
			continue
		}
		content = content[decoder.InputOffset():]
		var list []json.RawMessage
		if json.Unmarshal(value, &list) != nil {
			found = append(found, value)
			continue
		}
		for _, v := range list {
			found = append(found, v)
		}
	}
}

// brokenSize returns where the next value may begin behind broken JSON.
func brokenSize(content []byte) int {
	for i := 1; i < len(content); i++ {
		if content[i-1] == '\n' && content[i] == '{' {
			return i
		}
	}
	return len(content)
}

// unwrap returns the event that an object of rejected/ keeps, or the letter itself.
func unwrap(letter []byte) []byte {
	var kept struct {
		Reason *string `json:"reason"`
		Body   *string `json:"body_base64"`
	}
	if json.Unmarshal(letter, &kept) != nil || kept.Reason == nil || kept.Body == nil {
		return letter
	}
	body, err := base64.StdEncoding.DecodeString(*kept.Body)
	if err != nil {
		return letter
	}
	return body
}

func text(r result) string {
	var b cli.Lines
	for _, i := range r.LeftOut {
		b.Line("%s: left out: %s", i.name(), i.Reason)
	}
	for _, n := range r.NotUnderstood {
		b.Line("event %d: %s", n.N, n.Reason)
	}
	for _, i := range r.Resumed {
		if r.Via != viaHere {
			b.Line("%s: handed to the function (%s)", i.name(), r.Via)
		}
	}
	if len(r.Resumed)+len(r.LeftOut)+len(r.NotUnderstood) == 0 {
		b.Line("nothing is stuck or failing")
	}
	if r.Export != nil && r.Export.Files() != "" {
		b.Line("%s", r.Export.Files())
	}
	if r.Export != nil && r.Export.Looks() != "" {
		b.Line("%s", r.Export.Looks())
	}
	return b.String()
}

func (i item) name() string {
	switch {
	case i.Sweep:
		return "sweep"
	case i.TopicID != "":
		return i.TopicID
	default:
		return i.GroupID
	}
}

// Package serverless reads serverless.yml as Tencent's command line does, and checks it against the platform's
// documented limits, which the command line and the component behind it do not do: a memory size that does not exist
// fails at deployment, a timer without a boolean is created closed, and a misspelt key is dropped silently.
//
// It owns the limits. It must never talk to the cloud, nor write the value of a variable anywhere.
package serverless

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is serverless.yml as far as this project uses it. Other keys are an error: the component would drop them.
type File struct {
	Org       string `yaml:"org"       json:"org"`
	App       string `yaml:"app"       json:"app"`
	Stage     string `yaml:"stage"     json:"stage"`
	Component string `yaml:"component" json:"component"`
	Name      string `yaml:"name"      json:"name"`
	Inputs    Inputs `yaml:"inputs"    json:"inputs"`
}

// Inputs are what the component scf is told.
type Inputs struct {
	Name         string      `yaml:"name"         json:"name"`
	Namespace    string      `yaml:"namespace"    json:"namespace"`
	Description  string      `yaml:"description"  json:"description"`
	Src          Source      `yaml:"src"          json:"-"` // the command line uploads it; the component gets a bucket and a key
	Type         string      `yaml:"type"         json:"type"`
	Handler      string      `yaml:"handler"      json:"handler"`
	Runtime      string      `yaml:"runtime"      json:"runtime"`
	Region       string      `yaml:"region"       json:"region"`
	Role         string      `yaml:"role"         json:"role,omitempty"`
	MemorySize   int         `yaml:"memorySize"   json:"memorySize"`
	Timeout      int         `yaml:"timeout"      json:"timeout"`
	PublicAccess *bool       `yaml:"publicAccess" json:"publicAccess,omitempty"`
	Environment  Environment `yaml:"environment"  json:"environment"`
	CLS          *CLS        `yaml:"cls"          json:"cls,omitempty"`
	DeadLetter   *DeadLetter `yaml:"deadLetter"   json:"deadLetter,omitempty"`
	Events       []Event     `yaml:"events"       json:"events"`
}

// Source is what is uploaded.
type Source struct {
	Src     string   `yaml:"src"`
	Exclude []string `yaml:"exclude"`
}

// Environment is the function's.
type Environment struct {
	Variables map[string]string `yaml:"variables" json:"variables"`
}

// CLS is where log lines go.
type CLS struct {
	LogsetID string `yaml:"logsetId" json:"logsetId,omitempty"`
	TopicID  string `yaml:"topicId"  json:"topicId,omitempty"`
}

// DeadLetter is where events go that failed for good.
type DeadLetter struct {
	Type       string `yaml:"type"       json:"type"`
	Name       string `yaml:"name"       json:"name"`
	FilterType string `yaml:"filterType" json:"filterType,omitempty"`
}

// Event is one trigger: exactly one of its fields is set.
type Event struct {
	Timer  *Timer  `yaml:"timer"  json:"timer,omitempty"`
	CMQ    *CMQ    `yaml:"cmq"    json:"cmq,omitempty"`
	CKafka *CKafka `yaml:"ckafka" json:"ckafka,omitempty"`
}

// Timer fires by the clock.
type Timer struct {
	Name       string `yaml:"name" json:"name,omitempty"`
	Parameters struct {
		Name           string `yaml:"name"           json:"name"`
		Qualifier      string `yaml:"qualifier"      json:"qualifier"`
		CronExpression string `yaml:"cronExpression" json:"cronExpression"`
		Enable         *bool  `yaml:"enable"         json:"enable"`
		Argument       string `yaml:"argument"       json:"argument"`
	} `yaml:"parameters" json:"parameters"`
}

// CMQ delivers the messages of a topic of TDMQ for CMQ.
type CMQ struct {
	Name       string `yaml:"name" json:"name,omitempty"`
	Parameters struct {
		Name      string `yaml:"name"      json:"name"` // the topic
		Qualifier string `yaml:"qualifier" json:"qualifier"`
		Enable    *bool  `yaml:"enable"    json:"enable"`
	} `yaml:"parameters" json:"parameters"`
}

// CKafka delivers the messages of a topic of CKafka.
type CKafka struct {
	Name       string `yaml:"name" json:"name,omitempty"`
	Parameters struct {
		Name      string `yaml:"name"      json:"name"` // instance and topic
		Qualifier string `yaml:"qualifier" json:"qualifier"`
		MaxMsgNum int    `yaml:"maxMsgNum" json:"maxMsgNum"`
		Offset    string `yaml:"offset"    json:"offset"`
		Retry     int    `yaml:"retry"     json:"retry"`
		Timeout   int    `yaml:"timeout"   json:"timeout"`
		Enable    *bool  `yaml:"enable"    json:"enable"`
	} `yaml:"parameters" json:"parameters"`
}

var reference = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)

// Parse reads the file. getenv resolves ${env:NAME}; a variable that is not set drops the whole value, as with the
// command line.
func Parse(raw []byte, getenv func(string) string) (File, error) {
	var tree yaml.Node
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return File{}, fmt.Errorf("read serverless.yml: %w", err)
	}
	if err := resolve(&tree, getenv); err != nil {
		return File{}, fmt.Errorf("read serverless.yml: %w", err)
	}
	resolved, err := yaml.Marshal(&tree)
	if err != nil {
		return File{}, fmt.Errorf("read serverless.yml: %w", err)
	}
	var f File
	dec := yaml.NewDecoder(bytes.NewReader(resolved))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return File{}, fmt.Errorf("read serverless.yml: %w", err)
	}
	if err := dec.Decode(new(File)); !errors.Is(err, io.EOF) {
		return File{}, errors.New("read serverless.yml: more than one document")
	}
	return f, nil
}

// resolve replaces references in the values below a node.
func resolve(n *yaml.Node, getenv func(string) string) error {
	if n.Kind == yaml.MappingNode {
		kept := n.Content[:0]
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			keep, err := resolveScalar(value, getenv)
			if err != nil {
				return fmt.Errorf("%s: %w", key.Value, err)
			}
			if keep {
				kept = append(kept, key, value)
			}
		}
		n.Content = kept
	}
	for _, child := range n.Content {
		if err := resolve(child, getenv); err != nil {
			return err
		}
	}
	return nil
}

func resolveScalar(n *yaml.Node, getenv func(string) string) (keep bool, err error) {
	if n.Kind != yaml.ScalarNode {
		return true, nil
	}
	match := reference.FindStringSubmatch(n.Value)
	switch {
	case match == nil && strings.Contains(n.Value, "${"):
		return false, errors.New("only ${env:NAME} is used here")
	case match == nil:
		return true, nil
	case match[0] != n.Value:
		return false, fmt.Errorf("%s stands inside a longer text: not set, it would become the text undefined", match[0])
	}
	value := getenv(match[1])
	if value == "" {
		return false, nil
	}
	n.SetString(value)
	return true, nil
}

var switchedOff = regexp.MustCompile(`(?m)^( *)#([^ \n]|   *)`)

// SwitchOn returns the file with everything in it that a leading # has switched off. Prose has exactly one space
// behind the #; what is switched off has none, or two and more.
func SwitchOn(raw []byte) []byte { return switchedOff.ReplaceAll(raw, []byte("$1$2")) }

// Package variables finds the variables of the programs that an operator starts: in the environment, and in the file
// .env beside serverless.yml. It must never let a value into an error.
package variables

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chatexport/internal/config"
)

// names are what the platform and the function call the three parts of a key, and then what the Serverless command line
// calls them: a .env file for the one serves the other.
func names() [2][3]string {
	return [2][3]string{
		{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"},
		{"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_TOKEN"},
	}
}

// defaultFile is read where none is named.
const defaultFile = ".env"

// Read adds a file to the environment, which has precedence, as for the Serverless command line. Without a path the
// file is .env, which may be missing. A file that others may write is refused: they would decide where keys and messages
// go. What still is a placeholder of an example counts as not set.
func Read(path string, getenv func(string) string) (func(string) string, error) {
	all, err := parse(path)
	if err != nil {
		return nil, err
	}
	inFile := func(name string) string {
		if value := all[name]; !placeholder(value) {
			return value
		}
		return ""
	}
	return func(name string) string {
		platform := names()[0]
		if part := slices.Index(platform[:], name); part >= 0 {
			return keyPart(part, getenv, inFile)
		}
		return cmp.Or(getenv(name), inFile(name))
	}, nil
}

// placeholder reports whether a value is what an example has for one.
func placeholder(value string) bool {
	return value == "..." || value == "…" || strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">")
}

// Warnings are what the owner of a file should know of it, none if all is well, or Read says it.
func Warnings(path string, getenv func(string) string) []string {
	all, err := parse(path)
	if err != nil || all == nil {
		return nil
	}
	name := cmp.Or(path, defaultFile)
	var warnings []string
	if othersMayRead(name) {
		warnings = append(warnings, "others may read "+name+", and the keys in it: chmod 600 "+name)
	}
	for variable, value := range all {
		switch {
		case placeholder(value) && isOwn(variable) && getenv(variable) == "":
			warnings = append(warnings, variable+" in "+name+" still is an example's placeholder, and counts as not set")
		case value != "" && misspelt(variable):
			warnings = append(warnings, variable+" in "+name+" is no variable of ours: is it spelt right?")
		}
	}
	slices.Sort(warnings)
	return warnings
}

// Unused returns the names of a file's variables that are ours, and that known does not know.
func Unused(path string, known func(name string) bool) []string {
	all, err := parse(path)
	if err != nil {
		return nil // which Read says
	}
	var unused []string
	for name := range all {
		if looksOwn(name) && !misspelt(name) && !known(name) {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}

// isOwn reports whether a name is one that a deployment may hand over, or begins like one.
func isOwn(name string) bool { return looksOwn(name) || strings.HasPrefix(name, "TENCENT") }

// looksOwn is about names that nobody else has.
func looksOwn(name string) bool {
	return name == "LOG_LEVEL" || name == "REQUEUE" ||
		slices.ContainsFunc([]string{"CHAT", "COS_", "CMQ_", "CLOUD_", "CLS_", "EXPORT_", "MEDIA_"}, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		})
}

// misspelt reports whether a name begins as ours do, and nobody asks for it: not the function, not the deployment.
func misspelt(name string) bool {
	known := slices.Contains([]string{
		"CHATEXPORT_ROLE", "CHATEXPORT_OWNER", "CHATEXPORT_INSTANCES", "CHATEXPORT_RETRIES", "CHATEXPORT_EVENT_AGE", "CLS_LOGSET_ID", "CLS_TOPIC_ID",
	}, name)
	_, _ = config.Load(func(asked string) string { // for the names that it asks for
		known = known || asked == name
		return ""
	})
	return looksOwn(name) && !known
}

// Unclean returns an error that names a variable whose value no service would take as it was meant: with control characters,
// such as a carriage return, or spaces around it.
func Unclean(name, value string) error {
	if strings.TrimSpace(value) == value && !strings.ContainsFunc(value, isControl) {
		return nil
	}
	return fmt.Errorf("%s: its value has control characters, or spaces around it: write it anew", name)
}

// keyPart returns one part of the key. All parts are of the first place that has an id: a key with another one's token
// is refused by every service.
func keyPart(part int, places ...func(string) string) string {
	for _, place := range places {
		for _, key := range names() {
			if place(key[0]) != "" {
				return place(key[part])
			}
		}
	}
	return ""
}

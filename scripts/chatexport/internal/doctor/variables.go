package doctor

import (
	"errors"
	"strings"

	"chatexport/internal/config"
)

// footing is what the configuration allows to check.
type footing struct {
	config      config.Config // with placeholders for what is wrong
	credentials config.Credentials
	sound       bool
	chat, cos   bool // usable
	cloud       bool
}

// variables checks the configuration. One wrong variable does not keep the others from being tried.
func (e *examination) variables() footing {
	getenv := e.target.Getenv
	v := footing{sound: true, chat: true, cos: true, cloud: true}
	wrong := map[string]bool{}
	c, err := config.Load(getenv)
	for _, problem := range problems(err) {
		wrong[problem.Variable] = true
		v.blame(problem.Variable)
		e.add(failed, "variable "+problem.Variable, problem.Problem, problem.Advice)
	}
	if err != nil {
		// What is right of it is enough to look at the rest.
		standIn := map[string]string{
			"CHAT_SDKAPPID": "1", "CHAT_SECRET_KEY": "none", "COS_BUCKET": "none-1250000000", "COS_REGION": "ap-none",
		}
		if c, err = config.Load(func(name string) string {
			if wrong[name] {
				return standIn[name]
			}
			return getenv(name)
		}); err != nil {
			v.chat, v.cos, v.cloud = false, false, false
		}
	}
	v.config = c
	if len(wrong) == 0 {
		e.add(ok, "variables", "complete and well formed", "")
	}
	for _, text := range c.Warnings() {
		e.add(warning, "variables", text, "")
	}
	if v.credentials, err = config.LoadCredentials(getenv); err != nil {
		v.cos, v.cloud, v.sound = false, false, false
		for _, problem := range problems(err) {
			e.add(failed, "variable "+problem.Variable, problem.Problem,
				problem.Advice+"; on your own machine set them to a key that may do what the role may")
		}
		return v
	}
	text := "set, with a permanent key"
	if !v.credentials.Token.Empty() {
		text = "set, with a role's temporary key"
	}
	e.add(ok, "credentials", text, "")
	return v
}

func (v *footing) blame(variable string) {
	v.sound = false
	switch {
	case strings.HasPrefix(variable, "CHAT_"):
		v.chat = false
	case strings.HasPrefix(variable, "COS_"):
		v.cos = false
	case strings.HasPrefix(variable, "EXPORT_"), strings.HasPrefix(variable, "MEDIA_"):
	default:
		v.cloud = false
	}
}

// problems takes a joined error apart.
func problems(err error) []*config.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*config.Error
		for _, one := range joined.Unwrap() {
			all = append(all, problems(one)...)
		}
		return all
	}
	if problem, ok := errors.AsType[*config.Error](err); ok {
		return []*config.Error{problem}
	}
	return nil
}

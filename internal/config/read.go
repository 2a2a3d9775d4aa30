package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[0-9]{5,12}$`)
	regionName = regexp.MustCompile(`^[a-z]+(?:-[a-z0-9]+)+$`)
	topicName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	prefixPart = regexp.MustCompile(`^[A-Za-z0-9_.=-]+$`)
)

const (
	// maxPrefixBytes leaves room for the longest key below it: COS allows 850 bytes.
	maxPrefixBytes = 128
	maxNameBytes   = 60 // of a bucket: COS documentation, 436/13312; no region has more
	maxAdminBytes  = 32 // Chat documentation: UserID
	maxSecretBytes = 256
	maxLook        = 3650 * 24 * time.Hour
)

// reader reads variables and collects what is wrong with them.
type reader struct {
	getenv   func(string) string
	problems []error
}

func (r *reader) fail(variable, problem, advice string) {
	r.problems = append(r.problems, &Error{Variable: variable, Problem: problem, Advice: advice})
}

// value returns a variable without the white space around it, which consoles and files like to add.
func (r *reader) value(variable string) string { return strings.TrimSpace(r.getenv(variable)) }

// required reports a missing variable, and the two ways in which a deployment leaves text behind for one.
func (r *reader) required(variable, advice string) string {
	v := r.value(variable)
	switch {
	case v == "":
		r.fail(variable, "is not set", advice)
	case v == "undefined", strings.HasPrefix(v, "${"):
		r.fail(variable, "was not filled in at deployment", advice)
		return ""
	}
	return v
}

func (r *reader) integer(variable string, otherwise, least, most int) int {
	v := r.value(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.fail(variable, fmt.Sprintf("is not an integer from %d to %d", least, most), fmt.Sprintf("correct it, or leave it out for %d", otherwise))
	}
	return n
}

func (r *reader) choice(variable, otherwise string, choices ...string) string {
	v := r.value(variable)
	if v == "" {
		return otherwise
	}
	for _, c := range choices {
		if strings.EqualFold(v, c) {
			return c
		}
	}
	r.fail(variable, "is not one of "+strings.Join(choices, ", "), "correct it, or leave it out for "+otherwise)
	return ""
}

// look reads when to look again: never (0), after a part of the retention that leaves time for it, or as the operator says.
func (r *reader) look(variable string, retention time.Duration) time.Duration {
	switch v := strings.ToLower(r.value(variable)); v {
	case "", "auto":
		return retention / 4 * 3
	case "off":
		return 0
	default:
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > maxLook {
			r.fail(variable, "is not auto, off, or a positive duration such as 72h", "correct it, or leave it out for auto")
		}
		return d
	}
}

func (r *reader) hosts(variable string) Hosts {
	hosts, err := ParseHosts(r.value(variable))
	if err != nil {
		r.fail(variable, err.Error(), "set it to names or addresses without port, with commas between, such as files.example.com,*.example.org")
	}
	return hosts
}

// chatEndpoint knows the service's address in every region (Chat documentation, REST API overview; Mumbai stands in older
// versions only).
func (r *reader) chatEndpoint(variable, region string) string {
	regions := []string{"china", "singapore", "seoul", "tokyo", "frankfurt", "mumbai", "siliconvalley", "jakarta"}
	hosts := []string{
		"console.tim.qq.com", "adminapisgp.im.qcloud.com", "adminapikr.im.qcloud.com", "adminapijpn.im.qcloud.com",
		"adminapiger.im.qcloud.com", "adminapiind.im.qcloud.com", "adminapiusa.im.qcloud.com", "adminapiidn.im.qcloud.com",
	}
	at := slices.Index(regions, r.choice(region, regions[0], regions...))
	if endpoint := r.endpoint(variable); endpoint != "" || at < 0 {
		return endpoint
	}
	return "https://" + hosts[at]
}

func (r *reader) sdkAppID(variable string) int {
	const advice = "set it to the SDKAppID of the app (Chat console)"
	v := r.required(variable, advice)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n == 0 {
		r.fail(variable, "is not a positive integer below 2^32", advice)
	}
	return int(n)
}

func (r *reader) secretKey(variable string) Secret {
	const advice = "set it to the app's key (Chat console, basic configuration)"
	v := r.required(variable, advice)
	if len(v) > maxSecretBytes || !printable(v) {
		r.fail(variable, fmt.Sprintf("is longer than %d bytes or contains white space or control characters", maxSecretBytes), advice)
	}
	return NewSecret(v)
}

func (r *reader) admin(variable, otherwise string) string {
	v := r.value(variable)
	if v == "" {
		return otherwise
	}
	if len(v) > maxAdminBytes || !printable(v) {
		r.fail(variable, fmt.Sprintf("is longer than %d bytes or contains white space or control characters", maxAdminBytes), "set it to the UserID of an app admin, or leave it out for "+otherwise)
	}
	return v
}

// name is required, and has a shape.
func (r *reader) name(variable string, shape *regexp.Regexp, problem, advice string) string {
	v := r.required(variable, advice)
	if v != "" && (len(v) > maxNameBytes || !shape.MatchString(v)) {
		r.fail(variable, problem, advice)
	}
	return v
}

func (r *reader) topic(variable string) string {
	v := r.value(variable)
	if v != "" && !topicName.MatchString(v) {
		r.fail(variable, "is not the name of a topic: a letter, then at most 63 letters, digits, - and _", "correct it")
	}
	return v
}

// prefix allows only characters that need no escape in a URL, so that a key looks the same everywhere.
func (r *reader) prefix(variable string) string {
	v := r.value(variable)
	if v == "" {
		return ""
	}
	v = strings.TrimSuffix(v, "/") + "/"
	problem := ""
	if len(v) > maxPrefixBytes {
		problem = fmt.Sprintf("has %d bytes with its trailing slash, at most %d are allowed", len(v), maxPrefixBytes)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(v, "/"), "/") {
		switch {
		case part == "":
			problem = "begins with a slash or has two slashes in a row"
		case part == ".", part == "..":
			problem = "has a segment . or .."
		case !prefixPart.MatchString(part):
			problem = "contains characters other than letters, digits, _ . = - and /"
		}
	}
	if problem != "" {
		r.fail(variable, problem, "use a plain folder name such as chat/, or leave it out")
	}
	return v
}

func (r *reader) endpoint(variable string) string {
	v := r.value(variable)
	if v == "" {
		return ""
	}
	u, err := BaseURL(v)
	if err != nil {
		r.fail(variable, err.Error(), "set it to a base URL such as https://host, or leave it out")
		return ""
	}
	return u.String()
}

// bucketEndpoint refuses a path: the bucket's keys begin behind the host.
func (r *reader) bucketEndpoint(variable string) string {
	endpoint := r.endpoint(variable)
	if strings.Count(endpoint, "/") > len("//") {
		r.fail(variable, "has a path", "set it to scheme and host only; COS_PREFIX names a folder")
	}
	return endpoint
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

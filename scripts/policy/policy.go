// Package policy holds the CAM policies of the function's execution role: what it may do, and no more.
//
//	role.json   bucket and function: what every deployment needs
//	cmq.json    in addition, where continuations go through a CMQ topic (REQUEUE=cmq)
//	trust.json  who may take the role
//
// A test runs the function under these policies: what it does and what they grant are the same set.
package policy

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"chatexport/internal/config"
)

//go:embed role.json
var role string

//go:embed cmq.json
var cmq string

//go:embed trust.json
var trust string

// Place is what the policies' placeholders stand for.
type Place struct {
	Region    string
	Bucket    string // name-appid
	Prefix    string // with its trailing slash, or empty
	Namespace string
	Function  string
}

// Of returns the place of a configuration.
func Of(c config.Config, namespace, function string) Place {
	return Place{Region: c.COSRegion, Bucket: c.COSBucket, Prefix: c.COSPrefix, Namespace: namespace, Function: function}
}

// Role returns the policy that the execution role needs.
func Role(p Place) (string, error) { return p.fill(role) }

// CMQ returns the policy that it needs in addition to publish to a CMQ topic.
func CMQ(p Place) (string, error) { return p.fill(cmq) }

// Trust returns the policy that lets the platform take the role.
func Trust() string { return trust }

var placeholder = regexp.MustCompile(`\$\{[A-Z]+\}`)

func (p Place) fill(text string) (string, error) {
	dash := strings.LastIndexByte(p.Bucket, '-')
	if dash < 0 {
		return "", errors.New("the bucket's name has no appid")
	}
	text = strings.NewReplacer(
		"${REGION}", p.Region, "${APPID}", p.Bucket[dash+1:], "${BUCKET}", p.Bucket, "${PREFIX}", p.Prefix,
		"${NAMESPACE}", p.Namespace, "${FUNCTION}", p.Function,
	).Replace(text)
	if left := placeholder.FindString(text); left != "" {
		return "", fmt.Errorf("the policy has an unknown placeholder %s", left)
	}
	if !json.Valid([]byte(text)) {
		return "", errors.New("the policy would not be JSON: a value holds a quote or a control character")
	}
	return text, nil
}

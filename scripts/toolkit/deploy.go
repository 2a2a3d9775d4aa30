package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"chatexport/internal/config"
	"chatexport/scripts/internal/serverless"
	"chatexport/scripts/internal/variables"
)

// deploy deploys for real, to where the variables say.
func deploy(ctx context.Context, modules string, env func(string) string, out io.Writer) error {
	raw, err := os.ReadFile("serverless.yml")
	if err != nil {
		return fmt.Errorf("start it in the project's folder: %w", err)
	}
	getenv, err := variables.Read("", env)
	if err != nil {
		return err
	}
	f, err := serverless.Parse(raw, getenv)
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		return err
	}
	key, err := config.LoadCredentials(getenv)
	if err != nil {
		return errors.New("TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY: set the keys of somebody who may deploy")
	}
	code, err := os.ReadFile("dist/chatexport.zip")
	if err != nil {
		return fmt.Errorf("run scripts/package.sh first: %w", err)
	}
	folder, err := prepare(ctx, modules)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	// A crash in the middle: the function is there as before, without its code, or without its triggers; run it again.
	err = send(ctx, folder, f, code, out, append(os.Environ(),
		"STANDIN="+getenv("CLOUD_ENDPOINT"), "TENCENTCLOUD_SECRETID="+key.SecretID.Reveal(),
		"TENCENTCLOUD_SECRETKEY="+key.SecretKey.Reveal(), "TENCENTCLOUD_SESSIONTOKEN="+key.Token.Reveal()))
	if err != nil {
		return fmt.Errorf("%s was not deployed, see above: %w", f.Inputs.Name, err)
	}
	_, err = fmt.Fprintf(out, "%s is deployed in %s\n", f.Inputs.Name, f.Inputs.Region)
	return err
}

// send lets the toolkit deploy the inputs of a file with a package of code.
func send(ctx context.Context, folder string, f serverless.File, code []byte, out io.Writer, env []string) error {
	task, err := json.Marshal(map[string]any{"inputs": f.Inputs, "zip": code})
	if err != nil {
		return err
	}
	node := exec.CommandContext(ctx, "node", "--no-deprecation", "deploy.js")
	node.Dir, node.Env, node.Stdin, node.Stdout, node.Stderr = folder, env, bytes.NewReader(task), out, out
	return node.Run()
}

// sample is a package for the stand-in.
func sample() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "main", Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err == nil {
		_, err = w.Write([]byte("#!/bin/true\n"))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err) // into memory
	}
	return b.Bytes()
}

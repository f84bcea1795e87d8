package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/bcrypt"
)

// firstUser is the administrator of the first start.
const firstUser = "admin"

// createFirstUser writes a web config file with one user and prints the
// password, once, when the file is safe on disk. An existing file is left alone.
func createFirstUser(path string, out io.Writer) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%q exists but names no user; delete it to get a new password", path)
	}
	password := rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	content := "# Written by the first start. A --web.config.file with users or tokens wins.\n" +
		"# Delete this file and restart to get a new password.\n" +
		fmt.Sprintf("basic_auth_users:\n  %s: %s\n", firstUser, hash)
	if err := writeSecret(path, content); err != nil {
		return fmt.Errorf("keep the first user: %w", err)
	}
	_, err = fmt.Fprintf(out, "\nOthers can reach this listener, so it asks for a login. This is printed only once:\n"+
		"    user      %s\n    password  %s\n\n", firstUser, password)
	return err
}

// writeSecret creates a file that only we can read, whole or not at all.
func writeSecret(path, content string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*") // Mode 0600.
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

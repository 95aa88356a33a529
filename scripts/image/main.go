package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("out", ".", "folder for the images")
	name := flags.String("name", "weir", "name of the image, without a tag")
	var b build
	flags.StringVar(&b.version, "version", "devel", "version of weir, and tag of the image")
	flags.StringVar(&b.revision, "revision", "", "commit")
	created := flags.Int64("created", 0, "time of the files and of the image, in Unix seconds")
	flags.StringVar(&b.license, "license", "LICENSE", "file with the licence")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b.created = time.Unix(*created, 0).UTC()
	if flags.NArg() == 0 {
		return fmt.Errorf("want ARCH=PROGRAM arguments, such as amd64=bin/weir")
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return fmt.Errorf("make folder for images: %w", err)
	}
	tag := *name + ":" + b.version
	base := filepath.Join(*out, "weir-"+b.version+"-image")
	var all []v1.Image
	for _, arg := range flags.Args() {
		arch, program, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("argument %q: want ARCH=PROGRAM", arg)
		}
		image, err := b.image(arch, program)
		if err != nil {
			return fmt.Errorf("make image of %s: %w", arch, err)
		}
		path := base + "-" + arch + ".tar"
		if err := writeImage(path, tag, image, b.created); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := describe(os.Stdout, path, image); err != nil {
			return err
		}
		all = append(all, image)
	}
	if err := writeIndex(base+".tar", tag, all, b.created); err != nil {
		return fmt.Errorf("write %s.tar: %w", base, err)
	}
	fmt.Printf("%s.tar: all of them\n", base)
	return nil
}

// describe prints what an image is.
func describe(w *os.File, path string, image v1.Image) error {
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("digest of %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: %.1f MB, %s\n", path, float64(info.Size())/1e6, digest)
	return err
}

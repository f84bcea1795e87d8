package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// openAPI describes routes in OpenAPI 3.1. Schemas are read from the Go types,
// so that the description cannot drift from the answers.
func openAPI(version string, routes []Route) map[string]any {
	paths := map[string]map[string]any{}
	for _, route := range routes {
		operation := map[string]any{
			"summary":   route.Summary,
			"responses": map[string]any{"200": response(route.Response)},
		}
		if params := parameters(route); len(params) > 0 {
			operation["parameters"] = params
		}
		if route.Request != nil {
			operation["requestBody"] = map[string]any{"required": true, "content": jsonContent(route.Request)}
		}
		path := ownPrefix + route.Path
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(route.Method)] = operation
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "hedgewatch", "version": version},
		"paths":   paths,
	}
}

func response(body any) map[string]any {
	out := map[string]any{"description": "Success."}
	if body != nil {
		out["content"] = jsonContent(body)
	}
	return out
}

func jsonContent(body any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema(reflect.TypeOf(body))}}
}

func parameters(route Route) []map[string]any {
	var out []map[string]any
	for _, match := range pathParam.FindAllStringSubmatch(route.Path, -1) {
		out = append(out, map[string]any{
			"name": match[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"},
		})
	}
	for _, p := range route.Query {
		out = append(out, map[string]any{
			"name": p.Name, "in": "query", "required": p.Required, "description": p.Description,
			"schema": map[string]any{"type": "string"},
		})
	}
	return out
}

// schema is the JSON Schema of what encoding/json makes of a type. Types must
// not contain themselves.
func schema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t.Implements(reflect.TypeFor[json.Marshaler]()) && t != reflect.TypeFor[time.Time]():
		return map[string]any{"type": []string{"string", "null"}}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && t != reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return map[string]any{"type": "string", "format": "date-time"}
		}
		return structSchema(t)
	case reflect.Interface:
		return map[string]any{}
	default:
		return map[string]any{"type": "integer"}
	}
}

func structSchema(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" || (field.Anonymous && name == "") {
			continue
		}
		if name == "" {
			name = field.Name
		}
		properties[name] = schema(field.Type)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

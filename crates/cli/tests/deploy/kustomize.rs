//! What of kustomize our overlays use: resources, strategic merge patches and generators. What
//! it does not know is an error, so that nothing is left out of the tests. `.ci/kubernetes` has
//! kustomize itself render the same.

use serde_json::{Map, Value, json};

use crate::yaml::{at, documents, list, text};

/// The folders that are applied.
pub(crate) const OVERLAYS: [&str; 2] = ["try-out", "production"];

const KNOWN: [&str; 11] = [
    "apiVersion",
    "kind",
    "namespace",
    "labels",
    "resources",
    "patches",
    "components",
    "configMapGenerator",
    "secretGenerator",
    "images",
    "generatorOptions",
];

/// All objects of an overlay.
pub(crate) fn overlay(name: &str) -> Vec<Value> {
    folder(&format!("deploy/kubernetes/overlays/{name}"), Vec::new())
}

/// Adds to `objects` what a folder has, and changes them as it says.
fn folder(path: &str, mut objects: Vec<Value>) -> Vec<Value> {
    let kustomization = documents(&format!("{path}/kustomization.yaml")).remove(0);
    for key in kustomization.as_object().unwrap().keys() {
        assert!(KNOWN.contains(&key.as_str()), "{path}: teach this test what {key} means");
    }
    for resource in list(&kustomization, "/resources") {
        let resource = format!("{path}/{}", resource.as_str().unwrap());
        if resource.ends_with(".yaml") {
            objects.extend(documents(&resource));
        } else {
            objects = folder(&resource, objects);
        }
    }
    for component in list(&kustomization, "/components") {
        objects = folder(&format!("{path}/{}", component.as_str().unwrap()), objects);
    }
    for patch in list(&kustomization, "/patches") {
        for patch in documents(&format!("{path}/{}", text(patch, "/path"))) {
            apply(&mut objects, &patch);
        }
    }
    for (kind, key) in [("ConfigMap", "/configMapGenerator"), ("Secret", "/secretGenerator")] {
        for generator in list(&kustomization, key) {
            generate(&mut objects, kind, generator);
        }
    }
    for image in list(&kustomization, "/images") {
        objects.iter_mut().for_each(|object| rename(object, image));
    }
    objects
}

fn apply(objects: &mut Vec<Value>, patch: &Value) {
    let named = |object: &Value| {
        ["/kind", "/metadata/name"].iter().all(|key| at(object, key) == at(patch, key))
    };
    let found = objects.iter().position(named);
    let found = found.unwrap_or_else(|| panic!("a patch of nothing: {patch}"));
    if at(patch, "/$patch") == "delete" {
        objects.remove(found);
    } else {
        merge(&mut objects[found], patch);
    }
}

/// Objects are merged; so are lists whose items have names, and the constraints of topology by
/// theirs; all else is replaced.
fn merge(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => {
            for (key, patch) in patch {
                merge(value.entry(key).or_insert(Value::Null), patch);
            }
        }
        (Value::Array(values), Value::Array(patches))
            if patches.iter().all(|p| id(p).is_some()) =>
        {
            for patch in patches {
                match values.iter_mut().find(|value| id(value) == id(patch)) {
                    Some(value) => merge(value, patch),
                    None => values.push(patch.clone()),
                }
            }
        }
        (value, patch) => *value = patch.clone(),
    }
}

fn id(item: &Value) -> Option<&Value> {
    item.get("name").or_else(|| item.get("topologyKey"))
}

fn generate(objects: &mut Vec<Value>, kind: &str, generator: &Value) {
    let literals = list(generator, "/literals").iter().map(|line| {
        let (key, value) = line.as_str().and_then(|line| line.split_once('=')).unwrap();
        (key.to_owned(), Value::from(value))
    });
    let data = Value::Object(literals.collect::<Map<_, _>>());
    let name = at(generator, "/name");
    let object = json!({"kind": kind, "metadata": {"name": name}, "data": data});
    match at(generator, "/behavior").as_str() {
        None => objects.push(object),
        Some("merge") => apply(objects, &object),
        Some(other) => panic!("teach this test what the behavior {other} means"),
    }
}

fn rename(object: &mut Value, image: &Value) {
    let Some(containers) = object.pointer_mut("/spec/template/spec/containers") else { return };
    for container in containers.as_array_mut().unwrap() {
        if container["image"] == image["name"] {
            let name = image.get("newName").unwrap_or(&image["name"]).as_str().unwrap();
            container["image"] = format!("{name}:{}", text(image, "/newTag")).into();
        }
    }
}

//! A disk that can be held up, filled and broken: SQLite's own file access with a gate in
//! front of the write-ahead log.
//!
//! Registered as the default for this whole process; only logs that a test asked for have
//! a gate.

#![expect(unsafe_code, reason = "a virtual file system is a table of C functions")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_int, c_void},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, OnceLock},
    time::Duration,
};

use rusqlite::ffi;

/// What is done to a log.
#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    waiting: bool,
    syncs: u64,
    full: bool,
    failing: bool,
}

/// A test that waits longer is broken.
const PATIENCE: Duration = Duration::from_secs(20);

impl Disk {
    /// The disk below the store at this path; to be called before that is opened.
    pub(crate) fn below(path: &Path) -> Arc<Self> {
        register();
        let log = format!("{}-wal", path.display());
        Arc::clone(DISKS.lock().unwrap().entry(log).or_default())
    }

    /// From now on syncs wait.
    pub(crate) fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    /// Returns when a sync waits.
    pub(crate) fn wait_for_sync(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.waiting);
        assert!(!waited.unwrap().1.timed_out(), "nobody syncs");
    }

    pub(crate) fn release(&self) {
        self.state.lock().unwrap().held = false;
        self.changed.notify_all();
    }

    /// Syncs that have ended well.
    pub(crate) fn syncs(&self) -> u64 {
        self.state.lock().unwrap().syncs
    }

    pub(crate) fn fill(&self, full: bool) {
        self.state.lock().unwrap().full = full;
    }

    /// From now on syncs fail.
    pub(crate) fn break_down(&self) {
        self.state.lock().unwrap().failing = true;
    }

    fn before_sync(&self) -> c_int {
        let mut state = self.state.lock().unwrap();
        state.waiting = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| state.held);
        state = waited.unwrap().0;
        state.waiting = false;
        if state.failing { ffi::SQLITE_IOERR_FSYNC } else { ffi::SQLITE_OK }
    }

    fn after_sync(&self) {
        self.state.lock().unwrap().syncs += 1;
    }
}

/// By the path of the log.
static DISKS: Mutex<BTreeMap<String, Arc<Disk>>> = Mutex::new(BTreeMap::new());
/// Directories on a full disk.
static FULL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// From now on nothing can be written into databases in this directory.
pub(crate) fn fill_databases_in(directory: &Path) {
    register();
    FULL.lock().unwrap().push(directory.to_owned());
}

/// By the address of SQLite's open file.
static FILES: Mutex<BTreeMap<usize, Arc<Disk>>> = Mutex::new(BTreeMap::new());

/// SQLite's own file access.
struct Real(*mut ffi::sqlite3_vfs);
// SAFETY: SQLite's default VFS is static and may be used from every thread.
unsafe impl Send for Real {}
// SAFETY: as above; nothing changes it.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();
/// SQLite's own functions on a log, and the same with ours in their place.
static METHODS: OnceLock<(ffi::sqlite3_io_methods, ffi::sqlite3_io_methods)> = OnceLock::new();

fn register() {
    REAL.get_or_init(|| {
        // SAFETY: the default VFS is there for the whole life of the process, and so is the
        // leaked copy that is registered beside it.
        unsafe {
            let real = ffi::sqlite3_vfs_find(std::ptr::null());
            let ours = ffi::sqlite3_vfs {
                zName: c"gated".as_ptr(),
                pNext: std::ptr::null_mut(),
                xOpen: Some(open),
                ..*real
            };
            let registered = ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1);
            assert_eq!(registered, ffi::SQLITE_OK);
            Real(real)
        }
    });
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let real = REAL.get().unwrap().0;
    // SAFETY: the arguments are handed on as SQLite gave them; after a successful open the
    // file has its table of functions.
    unsafe {
        let code = (*real).xOpen.unwrap()(real, name, file, flags, out_flags);
        if code == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_WAL != 0 {
            let name = CStr::from_ptr(name).to_str().unwrap();
            if let Some(disk) = DISKS.lock().unwrap().get(name) {
                put_gate(file, Arc::clone(disk));
            }
        }
        if code == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            let directory = Path::new(CStr::from_ptr(name).to_str().unwrap()).parent();
            if FULL.lock().unwrap().iter().any(|full| Some(full.as_path()) == directory) {
                let real = *(*file).pMethods;
                let ours = ffi::sqlite3_io_methods { xWrite: Some(no_room), ..real };
                (*file).pMethods = Box::leak(Box::new(ours));
            }
        }
        code
    }
}

unsafe extern "C" fn no_room(
    _: *mut ffi::sqlite3_file,
    _: *const c_void,
    _: c_int,
    _: ffi::sqlite3_int64,
) -> c_int {
    ffi::SQLITE_FULL
}

/// The file's own table of functions is exchanged for a copy with ours in it.
unsafe fn put_gate(file: *mut ffi::sqlite3_file, disk: Arc<Disk>) {
    FILES.lock().unwrap().insert(file.addr(), disk);
    // SAFETY: SQLite has opened the file and calls it from one thread; its tables for logs
    // are all the same static one.
    unsafe {
        let methods = METHODS.get_or_init(|| {
            let real = *(*file).pMethods;
            let ours = ffi::sqlite3_io_methods { xSync: Some(sync), xWrite: Some(write), ..real };
            (real, ours)
        });
        (*file).pMethods = &raw const methods.1;
    }
}

fn disk_of(file: *mut ffi::sqlite3_file) -> Arc<Disk> {
    Arc::clone(&FILES.lock().unwrap()[&file.addr()])
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let disk = disk_of(file);
    let code = disk.before_sync();
    if code != ffi::SQLITE_OK {
        return code;
    }
    // SAFETY: handed on as SQLite gave it.
    let code = unsafe { METHODS.get().unwrap().0.xSync.unwrap()(file, flags) };
    disk.after_sync();
    code
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    if disk_of(file).state.lock().unwrap().full {
        return ffi::SQLITE_FULL;
    }
    // SAFETY: handed on as SQLite gave it.
    unsafe { METHODS.get().unwrap().0.xWrite.unwrap()(file, bytes, count, offset) }
}
